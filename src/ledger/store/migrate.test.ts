import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { connect } from './connect.js'
import { engines, embeddedDatabase, type TestDatabase } from './fixtures/databases.js'
import { openStore } from './index.js'
import { migrate } from './migrate.js'
import { migrations, type Migration } from './migrations/index.js'

const databases: TestDatabase[] = []
afterEach(async () => {
  for (const database of databases.splice(0)) await database.drop()
})

async function added(database: TestDatabase | Promise<TestDatabase>): Promise<TestDatabase> {
  const made = await database
  databases.push(made)
  return made
}

const next: Migration = {
  version: migrations.length + 1,
  name: 'more',
  async up(db) {
    await db.schema.createTable('more').addColumn('id', 'integer').execute()
  },
}

describe.each(engines)('migrations, $name', ({ there, make }) => {
  it.skipIf(!there)('make the schema once', async () => {
    const { settings } = await added(make())
    const connection = await connect(settings)
    try {
      await migrate(connection, migrations)
      await migrate(connection, migrations)
      const rows = await connection.db.selectFrom('migrations').selectAll().orderBy('version').execute()
      expect(rows.map(({ version, name }) => [Number(version), name])).toEqual(migrations.map(({ version, name }) => [version, name]))
      await migrate(connection, [...migrations, next])
      expect(await connection.db.selectFrom('migrations').selectAll().execute()).toHaveLength(migrations.length + 1)
    } finally {
      await connection.close()
    }
  })

  it.skipIf(!there)('leave what an older version wrote as it was', async () => {
    const { settings } = await added(make())
    const connection = await connect(settings)
    try {
      await migrate(connection, migrations.slice(0, 3))
      const old = connection.bare.withTables<{
        words: { id?: number; word: string }
        decisions: Record<string, unknown>
        outcomes: Record<string, unknown>
      }>()
      await old
        .insertInto('words')
        .values(['key', 'model', 'arm', 'policy', 'user'].map((word, index) => ({ id: index + 1, word })))
        .execute()
      const id = Buffer.from('=d', 'utf8')
      await old
        .insertInto('decisions')
        .values({ id, request_id: 'r', at: 5, key: 1, requested_model: 2, arm: 3, policy: 4, propensity: 0.5, reason: 'why' })
        .execute()
      await old
        .insertInto('outcomes')
        .values({ seq: 1, at: 6, score: 0.25, key: 1, source: 5, state: 1, decision: id, outcome_id: 'o' })
        .execute()
    } finally {
      await connection.close()
    }
    const store = await openStore(settings)
    try {
      const decision = {
        decisionId: 'd',
        requestId: 'r',
        at: 5,
        key: 'key',
        requestedModel: 'model',
        arm: 'arm',
        policy: 'policy',
        propensity: 0.5,
        reason: 'why',
      }
      expect(await store.decision('d')).toEqual(decision)
      expect(await store.outcomes({ limit: 5 })).toEqual([
        { outcomeId: 'o', at: 6, decisionId: 'd', key: 'key', source: 'user', score: 0.25 },
      ])
      expect(await store.trials({ limit: 5 })).toEqual([])
    } finally {
      await store.close()
    }
  })

  it.skipIf(!there)('add up what an older version wrote of runs, and tell which columns it used', async () => {
    const { settings } = await added(make())
    const connection = await connect(settings)
    try {
      await migrate(connection, migrations.slice(0, 4))
      const old = connection.bare.withTables<{
        facets: Record<string, unknown>
        facet_days: Record<string, unknown>
        spend: Record<string, unknown>
      }>()
      await old
        .insertInto('facets')
        .values([1, 2].map((id) => ({ id, kind: 0, scope: 1, value: `run-${id}` })))
        .execute()
      const day = { kind: 0, day: 86_400, series: 1, calls: 1, usd_micro: 5 }
      await old
        .insertInto('facet_days')
        .values([
          { ...day, facet: 1, web_searches: 3 },
          { ...day, facet: 2, web_searches: -3 },
        ])
        .execute()
      // What was added up to nothing in one piece was never written.
      await old.insertInto('spend').values({ span: 0, start: 0, series: 0, calls: 2, usd_micro: 10 }).execute()
      for (const span of [3600, 86_400])
        await old.insertInto('spend').values({ span, start: 86_400, series: 0, calls: 2, usd_micro: 10 }).execute()
    } finally {
      await connection.close()
    }
    const store = await openStore(settings)
    try {
      const report = await store.report({ from: 0, to: 4e9, by: ['run'], limit: 1, order: 'calls' })
      expect(report.rows).toMatchObject([{ group: { run: 'run-1' }, totals: { calls: 1, usage: { webSearches: 3 } } }])
      expect(report.others).toMatchObject({ groups: 1, totals: { calls: 1, usage: { webSearches: -3 } } })
      expect(report.total).toMatchObject({ calls: 2, cost: { usd: 10_000_000n } })
    } finally {
      await store.close()
    }
  })

  it.skipIf(!there)('are refused to a program that is older than the database', async () => {
    const { settings } = await added(make())
    const connection = await connect(settings)
    try {
      await migrate(connection, [...migrations, next])
    } finally {
      await connection.close()
    }
    await expect(openStore(settings)).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining(`version ${next.version} (more)`) as string,
    })
  })

  it.skipIf(!there)('are refused where an earlier step was another one', async () => {
    const { settings } = await added(make())
    const connection = await connect(settings)
    try {
      await migrate(connection, [...migrations, next])
      const changed: Migration = { ...next, up: async (db) => db.schema.createTable('other').addColumn('id', 'integer').execute() }
      await expect(migrate(connection, [...migrations, changed])).rejects.toMatchObject({ code: 'invalid_configuration' })
      const other = connection.bare.withTables<{ other: { id: number } }>()
      await expect(other.selectFrom('other').selectAll().execute()).rejects.toThrow()
    } finally {
      await connection.close()
    }
  })

  it.skipIf(!there)('leave nothing behind when one of them fails', async () => {
    const { settings } = await added(make())
    const connection = await connect(settings)
    const broken: Migration = {
      ...next,
      async up(db) {
        await next.up(db, connection.engine)
        await db.schema.createTable('more').addColumn('id', 'integer').execute()
      },
    }
    try {
      await expect(migrate(connection, [...migrations, broken])).rejects.toThrow()
      await expect(connection.db.selectFrom('calls').selectAll().execute()).rejects.toThrow()
      await migrate(connection, migrations)
      expect(await connection.db.selectFrom('calls').selectAll().execute()).toEqual([])
    } finally {
      await connection.close()
    }
  })

  it.skipIf(!there)(
    'are done once by four processes that start at the same moment',
    async () => {
      const { settings } = await added(make())
      const program = fileURLToPath(new URL('./fixtures/open-store.ts', import.meta.url))
      const at = Date.now() + 2500
      const started = Array.from({ length: 4 }, () =>
        promisify(execFile)(process.execPath, ['--import', 'tsx', program, JSON.stringify(settings), String(at)]),
      )
      for (const { stdout } of await Promise.all(started)) expect(stdout).toBe('opened')
      const store = await openStore(settings)
      try {
        expect(await store.holders()).toHaveLength(4)
      } finally {
        await store.close()
      }
    },
    60_000,
  )
})

describe('a file that is no database', () => {
  it('is refused as it is', async () => {
    const { settings } = await added(embeddedDatabase())
    if (!('file' in settings)) throw new Error('not embedded')
    writeFileSync(settings.file, 'this is a letter to my aunt, not a database\n'.repeat(200))
    await expect(openStore(settings)).rejects.toMatchObject({ code: 'invalid_configuration' })
  })
})

describe('a server that is not there', () => {
  it('is unavailable, not wrong', async () => {
    await expect(openStore({ url: 'postgres://root@127.0.0.1:1/test' })).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
  })
})
