import { z } from 'zod'
import { httpUrl, secret, seconds } from './fields.js'

const days = () => z.number().positive().max(36_500)

/** Where the record of calls is kept, and how surely. */
export const ledgerSchema = z.strictObject({
  store: z
    .enum(['sql', 'memory'])
    .default('sql')
    .describe(
      '`sql` keeps the ledger in a database: a file of its own, or PostgreSQL where `database_url` is set. `memory` forgets everything with the process.',
    ),
  path: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File of the embedded database, from the folder of this file. `bursar.db` when left out (`.bursar/bursar.db` without a configuration file).',
    ),
  database_url: secret()
    .optional()
    .describe(
      'PostgreSQL instead of the embedded database, as `postgres://user:password@host/database`; `DATABASE_URL` when left out and that is set. Several gateways may share it.',
    ),
  redis_url: secret()
    .optional()
    .describe(
      'Redis or Valkey to count budgets and rates of several gateways in, faster than in PostgreSQL; `BURSAR_REDIS_URL` when left out and that is set. Needs `database_url`.',
    ),
  journal: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of the journal, which everything is written to before it reaches the database. Must outlive the process. Beside the database when left out.',
    ),
  durability: z
    .enum(['disk', 'strict', 'process'])
    .default('disk')
    .describe(
      'What records survive. With each of them nothing is lost when the process dies. ' +
        '`disk`: the note of a call is written before the call is made and synced to the disk while the provider works; ' +
        'a stream begins once it is there, and no answer ends before the disk has its record. ' +
        'A loss of power in the few milliseconds after a call was sent can take the note of it, which the provider may bill. ' +
        '`strict`: a call is sent once the disk has its note. `process`: a loss of power may take the last seconds.',
    ),
  keep_days: days().default(90).describe('How long records of single calls are kept; sums in reports stay exact for ever; days.'),
  keep_gib: z
    .number()
    .positive()
    .max(100_000)
    .default(20)
    .describe('How large the database may grow before the oldest records of single calls are removed; GiB.'),
  lease_seconds: seconds()
    .default(30)
    .describe('Silence of another gateway on the same database after which what it had reserved counts as spent; seconds.'),
  remember_calls: z
    .int()
    .min(0)
    .max(10_000_000)
    .default(10_000)
    .describe('With `store: memory`: calls whose records are kept, the newest; calls.'),
})

/** How limits are handled. The limits themselves stand with keys, users, teams and organisations. */
export const budgetsSchema = z.strictObject({
  queue_seconds: z
    .number()
    .nonnegative()
    .max(60)
    .default(1)
    .describe('Longest wait for room under a limit on a rate before a call is told to come back; 0 refuses at once; seconds.'),
  alert_at: z
    .array(z.number().positive().max(1))
    .max(10)
    .default([0.8, 1])
    .describe('Shares of a budget at which an alert is sent, once a window.'),
  webhook: z
    .strictObject({
      url: httpUrl().describe('Where alerts are posted as JSON.'),
      secret: secret().optional().describe('Signs alerts: header `x-bursar-signature` is `sha256=` and the HMAC of the body.'),
    })
    .optional()
    .describe('Told when a budget is nearly or wholly used. Alerts are in the log in any case.'),
})
