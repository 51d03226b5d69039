import type { CallRecord, DecisionRecord, IntentRecord, LedgerRecord, OutcomeRecord } from '../record.js'
import { nobodysCall } from '../report/aggregate.js'
import type { BalanceChanges } from './balances.js'
import { addCallRows, type Addition, type CorrectionAddition } from './call-additions.js'
import { seriesOf, tagsOf, wordsOf, type CallRow } from './call-rows.js'
import type { ApplyContext } from './context.js'
import { decisionsTarget, rowOfDecision, wordsOfDecision } from './decision-rows.js'
import { facetName } from './dictionary.js'
import { closeHolds, openHolds } from './holds.js'
import { findCalls, type KnownCall } from './known-calls.js'
import { addOutcomes } from './outcome-rows.js'
import { textInRange } from './ranges.js'
import { Rollup } from './rollup.js'
import { takeNumbers } from './state.js'
import type { Resolved } from './resolved.js'
import { TagFacets } from './tag-facets.js'
import type { Tx } from './transaction.js'

interface Sorted {
  readonly calls: CallRecord[]
  readonly intents: Map<string, IntentRecord>
  readonly decisions: DecisionRecord[]
  readonly outcomes: OutcomeRecord[]
  readonly additions: Addition[]
  readonly known: ReadonlyMap<string, KnownCall>
}

/**
 * Adds records to the tables and sums, in a transaction that has `lockApplying`; changes of balances are collected for the caller to write last, so that
 * their rows are locked shortly. Answers what to do once it is committed. O(records).
 */
export async function addRecords(
  tx: Tx,
  context: ApplyContext,
  records: readonly LedgerRecord[],
  holder: string,
  balances: BalanceChanges,
  holds?: 'keep holds',
): Promise<() => void> {
  const sorted = await sort(tx, context, records)
  const { calls, intents, decisions, outcomes, additions } = sorted
  const resolved = await resolve(tx, context, sorted)
  const rollup = new Rollup()
  const changes =
    additions.length === 0
      ? []
      : await addCallRows(tx, context, additions, await takeNumbers(tx, 'call_seq', additions.length), resolved, rollup)
  await context.bulk.write(
    tx,
    decisionsTarget,
    decisions.map((decision) => rowOfDecision(decision, (text) => resolved.word(text))),
  )
  if (holds === undefined) await closeHolds(tx, context, calls, intents, balances)
  for (const { callId } of calls) intents.delete(callId)
  await openHolds(tx, context, [...intents.values()], holder, balances)
  await addOutcomes(tx, context, { outcomes, decisions, changes }, resolved)
  await rollup.write(tx, context)
  return () => resolved.remember()
}

/** What is new among the records, and what becomes of it. */
async function sort(tx: Tx, { engine }: ApplyContext, records: readonly LedgerRecord[]): Promise<Sorted> {
  const known = await findCalls(
    tx,
    engine,
    records.flatMap(({ type, record }) => (type === 'call' || type === 'correction' || type === 'intent' ? [record.callId] : [])),
  )
  const calls: CallRecord[] = []
  const intents = new Map<string, IntentRecord>()
  const decisions: DecisionRecord[] = []
  const outcomes: OutcomeRecord[] = []
  const additions: Addition[] = []
  /** Of each call, what this transaction adds. */
  const added = new Map<string, { call: CallRecord | undefined; readonly corrections: CorrectionAddition[] }>()
  const addedTo = (callId: string) => {
    let state = added.get(callId)
    if (state === undefined) added.set(callId, (state = { call: undefined, corrections: [] }))
    return state
  }
  for (const { type, record } of records)
    switch (type) {
      case 'call': {
        const there = known.get(textInRange(record.callId, 512))
        const state = addedTo(record.callId)
        if (state.call !== undefined || there?.real !== undefined) break
        // A lost call of a call that is lost already says nothing new.
        if (there?.lost !== undefined && record.end === 'lost') break
        if (there?.lost !== undefined) {
          const { lost } = there
          // One from before the call was known counted for nobody, and goes on doing so.
          const corrections = there.corrections.filter(({ series }) => Number(series) === Number(lost.series))
          additions.push({ kind: 'takenBack', lost, corrections, since: [...state.corrections] })
          for (const correction of state.corrections) correction.supplanted = true
        }
        state.call = record
        additions.push({ kind: 'call', call: record })
        calls.push(record)
        break
      }
      case 'correction': {
        const there = known.get(textInRange(record.callId, 512))
        const state = addedTo(record.callId)
        const { correctionId } = record
        if (
          state.corrections.some((other) => other.record.correctionId === correctionId) ||
          there?.corrections.some((row) => isCorrection(row, correctionId)) === true
        )
          break
        const of = state.call ?? there?.real ?? there?.lost ?? nobodysCall(record)
        const addition: CorrectionAddition = { kind: 'correction', of, record, supplanted: false }
        additions.push(addition)
        state.corrections.push(addition)
        break
      }
      case 'intent':
        // The first one counts, and none that comes after the call.
        if (!intents.has(record.callId) && added.get(record.callId)?.call === undefined) intents.set(record.callId, record)
        break
      case 'decision':
        decisions.push(record)
        break
      case 'outcome':
        outcomes.push(record)
        break
    }
  // Of a call that is known, an intent reserves nothing any more.
  for (const callId of intents.keys()) {
    const there = known.get(textInRange(callId, 512))
    if (there?.real !== undefined || there?.lost !== undefined) intents.delete(callId)
  }
  return { calls, intents, decisions, outcomes, additions, known }
}

function isCorrection({ note }: CallRow, correctionId: string): boolean {
  return note !== null && note !== undefined && (JSON.parse(note) as { readonly id?: unknown }).id === correctionId
}

async function resolve(tx: Tx, context: ApplyContext, { additions, decisions, outcomes }: Sorted): Promise<Resolved> {
  const calls = additions.flatMap((addition) =>
    addition.kind === 'call' ? [addition.call] : addition.kind === 'correction' && 'callId' in addition.of ? [addition.of] : [],
  )
  const words = await context.words.resolve(tx, [
    ...calls.flatMap(wordsOf),
    ...decisions.flatMap(wordsOfDecision),
    ...outcomes.flatMap(({ key, source, arm }) => [key, source, arm].flatMap((text) => (text === undefined ? [] : [textInRange(text)]))),
  ])
  const word = (text: string) => found(words, text)
  const series = await context.series.resolve(tx, calls.map(seriesOf))
  const name = (kind: 'run' | 'session', key: string, value: string) => facetName(kind, word(textInRange(key)), textInRange(value))
  const facets = await context.facets.resolve(tx, [
    ...[...calls, ...outcomes].flatMap(({ key, run }) => (run === undefined ? [] : [name('run', key, run)])),
    ...calls.flatMap(({ key, session }) => (session === undefined ? [] : [name('session', key, session)])),
  ])
  const tags = new TagFacets(tx, context)
  await tags.resolve(additions.map(taggedCall))
  return {
    word,
    series: (text) => found(series, text),
    facet: (kind, key, value) => found(facets, name(kind, key, value)),
    tags: (call) => tags.of(call),
    remember() {
      context.words.remember(words)
      context.series.remember(series)
      context.facets.remember(facets)
      tags.remember()
    },
  }
}

/** When and with which tags an addition counts. */
function taggedCall(addition: Addition) {
  const of = addition.kind === 'call' ? addition.call : addition.kind === 'correction' ? addition.of : addition.lost
  return { at: of.at, tags: typeof of.tags === 'string' ? tagsOf(of.tags) : (of.tags ?? undefined) }
}

function found(names: ReadonlyMap<string, number>, name: string): number {
  const id = names.get(name)
  if (id === undefined) throw new Error(`a name without a number: ${name.slice(0, 80)}`)
  return id
}
