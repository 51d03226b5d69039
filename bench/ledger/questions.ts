import type { Dimension, ReportQuery } from '../../src/ledger/index.js'
import type { SqlStore } from '../../src/ledger/store/index.js'

/** Something that a store is asked, and what is said of the answer. */
export interface Question {
  readonly name: string
  ask(store: SqlStore): Promise<number>
}

export interface Known {
  readonly from: number
  readonly to: number
  readonly key: string
  readonly run: string | undefined
  readonly requestId: string
  readonly decisionId: string
}

const day = 86_400

/** Every kind of report over the whole time, and the look-ups that the gateway makes. */
export function questions({ from, to, key, run, requestId, decisionId }: Known): readonly Question[] {
  const report = (name: string, by: readonly Dimension[], rest: Partial<ReportQuery> = {}): Question => ({
    name: `report by ${name}`,
    ask: async (store) => (await store.report({ from, to, by, ...rest })).rows.length,
  })
  const last = (days: number) => ({ from: to - days * day })
  return [
    report('nothing', []),
    ...(['organisation', 'team', 'user', 'key', 'model', 'provider', 'deployment', 'requested_model', 'day'] as const).map((dimension) =>
      report(dimension, [dimension]),
    ),
    report('hour, last 7 days', ['hour'], last(7)),
    report('hour, all of it', ['hour']),
    report('day and model', ['day', 'model']),
    report('day and key', ['day', 'key']),
    report('key and model', ['key', 'model']),
    report('team, user, key and model', ['team', 'user', 'key', 'model']),
    report('day, of one key', ['day'], { where: { key } }),
    report('model, not whole days', ['model'], { from: from + 5 * 3600, to: to - 7 * 3600 }),
    report('a tag', ['tag:feature']),
    report('a tag and day', ['tag:feature', 'day']),
    report('a tag and key', ['tag:feature', 'key']),
    report('key, of one tag', ['key'], { where: { 'tag:env': 'staging' } }),
    report('run, the 20 dearest', ['run'], { limit: 20 }),
    report('run, the 20 dearest of 7 days', ['run'], { ...last(7), limit: 20 }),
    report('run, of one key', ['run'], { where: { key }, limit: 100 }),
    report('session, the 20 dearest', ['session'], { limit: 20 }),
    ...(run === undefined ? [] : [report('model, of one run', ['model'], { where: { run } })]),
    {
      name: 'outcomes by model and arm',
      ask: async (store) => (await store.outcomeReport({ unit: 'decision', from, to, by: ['requested_model', 'arm'] })).length,
    },
    { name: 'totals of all', ask: async (store) => (await store.totals({})).calls },
    { name: 'totals of a key', ask: async (store) => (await store.totals({ key })).calls },
    { name: 'calls of a request', ask: async (store) => (await store.calls({ requestId, limit: 100 })).length },
    { name: 'last 100 calls of a key', ask: async (store) => (await store.calls({ key, limit: 100 })).length },
    ...(run === undefined
      ? []
      : [{ name: 'calls of a run', ask: async (store: SqlStore) => (await store.calls({ run, limit: 1000 })).length }]),
    { name: 'last 100 lost calls', ask: async (store) => (await store.calls({ end: 'lost', limit: 100 })).length },
    { name: 'a decision', ask: async (store) => ((await store.decision(decisionId)) === undefined ? 0 : 1) },
  ]
}
