import { InvalidRequest, toBursarError, type BursarError } from '../../errors/index.js'
import type { Completion, Environment } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import { addCost, addUsage, noCost, noUsage, picoUsd, type Cost, type Money, type Usage } from '../../quantities/index.js'
import type { Random } from '../../statistics/index.js'
import { finish, isCut, textOf, withThinking, type ModelUse } from '../calls.js'
import { createBatchSizes, type BatchSizes } from './accounting.js'
import { packed, settingsKey, unpacked, whyAlone } from './packing.js'

/** A question of an offline batch. */
export interface BatchItem {
  readonly request: Request
  /** Whose it is. A batch is of one tenant. */
  readonly tenant: string
  /** Questions of different privacy classes never share a call. */
  readonly privacy?: string | undefined
  /** For which the size of batches is learned; absent: one for all. */
  readonly category?: string | undefined
  /** Difficulty, 1 to 5: hard questions are asked alone. Absent: taken for easy. */
  readonly level?: number | undefined
}

export interface BatchOptions {
  readonly use: ModelUse
  /** Sizes learned so far, to go on with; new ones when absent. */
  readonly sizes?: BatchSizes | undefined
  /** Whether an answer can be used, where that can be told (a form it must have); one that can't is asked for again, alone. */
  readonly usable?: ((request: Request, text: string) => boolean) | undefined
  /** Calls at once; 4 when absent. */
  readonly parallel?: number | undefined
  /** Told of each question once, as soon as it is answered or has failed: before the batch is over, which may end with a fault of its own. */
  readonly onAnswer?: ((index: number, answer: BatchAnswer) => void) | undefined
}

/** What became of a question: its answer, with its share of the call it came in, or the fault that left it without. */
export interface BatchAnswer {
  readonly text: string | null
  /** The call that answered. */
  readonly completion: Completion | null
  /** Questions that were in that call. */
  readonly together: number
  /** Of all calls in which it was asked: its share of what was shared. */
  readonly usage: Usage
  readonly cost: Cost
  readonly fault?: BursarError | undefined
}

/** Questions harder than this are asked alone (107). */
const HARDEST = 3

/** Calls at once at the most. */
const MOST_PARALLEL = 64

/** Items of one batch at the most. */
const MOST_ITEMS = 10_000

/**
 * Answers many questions of one tenant offline (DRQA as a batching policy, 107): short independent ones with the same instructions share calls of 2 to 5,
 * in random order; those whose answer is missing, unsure or not usable are asked again alone. How many share a call is learned (`BatchSizes`). Never
 * shared: streamed requests, conversations, tools, prescribed formats, hard questions, different privacy classes. Answers in the order of
 * the items; a question that could not be answered (a budget that is used up, a failing model) has a `fault`.
 *
 * Throws `InvalidRequest` for items of several tenants or too many, and the signal's reason when it is aborted. At most two calls an item.
 */
export async function answerBatch(items: readonly BatchItem[], env: Environment, options: BatchOptions): Promise<readonly BatchAnswer[]> {
  const { use, sizes = createBatchSizes(), usable = () => true, parallel = 4 } = options
  const tenant = items[0]?.tenant
  const stranger = items.findIndex((item) => item.tenant !== tenant)
  if (stranger > 0)
    throw new InvalidRequest('A batch is of one tenant: questions of different tenants are never sent together.', {
      path: `items[${stranger}].tenant`,
    })
  if (items.length > MOST_ITEMS) throw new InvalidRequest(`A batch has at most ${MOST_ITEMS} questions.`, { path: 'items' })
  const results: BatchAnswer[] = items.map(() => ({ text: null, completion: null, together: 0, usage: noUsage, cost: noCost }))
  const groups = groupsOf(items)
  const waiting: number[] = items.flatMap((item, index) => (groups.has(groupKey(item)) && mayShare(item) ? [] : [index]))

  const settle = (index: number, change: Partial<BatchAnswer>, usage: Usage, cost: Cost): void => {
    const before = results[index]
    if (before !== undefined)
      results[index] = { ...before, ...change, usage: addUsage(before.usage, usage), cost: addCost(before.cost, cost) }
    const now = results[index]
    if (now !== undefined && ((change.text ?? null) !== null || change.fault !== undefined)) options.onAnswer?.(index, now)
  }

  async function together(indexes: readonly number[]): Promise<void> {
    const asked = indexes.flatMap((index) => items[index] ?? [])
    const [first, ...rest] = asked
    if (first === undefined) return
    const category = first.category ?? ''
    let completion: Completion
    try {
      completion = await finish(env.call(use.model, packed([withThinking(first.request, use), ...rest.map(({ request }) => request)])))
    } catch {
      // Whatever failed may not fail for each alone; the next call says.
      env.signal.throwIfAborted()
      sizes.observe(category, false)
      waiting.push(...indexes)
      return
    }
    const said = isCut(completion) ? asked.map(() => null) : unpacked(textOf(completion), asked.length)
    const texts = said.map((text, at) => (text !== null && asked[at] !== undefined && usable(asked[at].request, text) ? text : null))
    const lengths = texts.map((text) => text?.length ?? 0)
    for (const [at, index] of indexes.entries()) {
      const text = texts[at] ?? null
      if (text === null) waiting.push(index)
      settle(
        index,
        text === null ? {} : { text, completion, together: indexes.length },
        usageShare(completion.usage, lengths, at),
        costShare(completion.cost, indexes.length, at),
      )
    }
    sizes.observe(
      category,
      texts.every((text) => text !== null),
    )
  }

  async function alone(index: number): Promise<void> {
    const item = items[index]
    if (item === undefined) return
    let completion: Completion
    try {
      completion = await finish(env.call(use.model, withThinking(item.request, use)))
    } catch (thrown) {
      env.signal.throwIfAborted()
      return settle(index, { fault: toBursarError(thrown) }, noUsage, noCost)
    }
    if (mayShare(item)) sizes.answeredAlone(item.category ?? '')
    settle(index, { text: textOf(completion), completion, together: 1 }, completion.usage, completion.cost)
  }

  for (const group of groups.values()) {
    const order = shuffled(group, env.random)
    await inParallel(parallel, () => {
      if (order.length === 0) return undefined
      const size = sizes.size(items[order[0] ?? 0]?.category ?? '')
      const next = order.splice(0, size)
      if (next.length > 1) return together(next)
      waiting.push(...next)
      // A question that no other is left for, or while batches of the category fail, is not worth the words around it.
      return Promise.resolve()
    })
  }
  await inParallel(parallel, () => {
    const index = waiting.shift()
    return index === undefined ? undefined : alone(index)
  })
  return results
}

function mayShare(item: BatchItem): boolean {
  return (item.level ?? 1) <= HARDEST && whyAlone(item.request) === undefined
}

function groupKey({ request, privacy, category }: BatchItem): string {
  return JSON.stringify([privacy, category, settingsKey(request)])
}

/** Items that may share calls, by what they must have in common; only groups of two and more. */
function groupsOf(items: readonly BatchItem[]): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>()
  for (const [index, item] of items.entries()) {
    if (!mayShare(item)) continue
    const key = groupKey(item)
    const group = groups.get(key)
    if (group) group.push(index)
    else groups.set(key, [index])
  }
  for (const [key, group] of groups) if (group.length < 2) groups.delete(key)
  return groups
}

/** Runs work until there is no more, so many at once. The first that throws ends it, once those under way are over. */
async function inParallel(most: number, next: () => Promise<void> | undefined): Promise<void> {
  let failed: { readonly reason: unknown } | undefined
  const worker = async (): Promise<void> => {
    for (;;) {
      const work = failed === undefined ? next() : undefined
      if (work === undefined) return
      try {
        await work
      } catch (reason) {
        failed ??= { reason }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(MOST_PARALLEL, Math.max(1, Math.floor(most) || 1)) }, worker))
  if (failed !== undefined) throw failed.reason instanceof Error ? failed.reason : toBursarError(failed.reason)
}

/** A question's part of a call's tokens: equal parts of the input, output by the length of the answers; what doesn't divide goes to the first. */
function usageShare(usage: Usage, lengths: readonly number[], at: number): Usage {
  const count = lengths.length
  const all = lengths.reduce((sum, length) => sum + length, 0)
  const equal = (tokens: number) => Math.floor(tokens / count) + (at === 0 ? tokens % count : 0)
  const byLength = (tokens: number) => {
    if (all === 0) return equal(tokens)
    const share = (length: number) => Math.floor((tokens * length) / all)
    const left = tokens - lengths.reduce((sum, length) => sum + share(length), 0)
    return share(lengths[at] ?? 0) + (at === 0 ? left : 0)
  }
  return {
    ...usage,
    inputTokens: equal(usage.inputTokens),
    inputAudioTokens: equal(usage.inputAudioTokens),
    inputImageTokens: equal(usage.inputImageTokens),
    inputVideoTokens: equal(usage.inputVideoTokens),
    cacheReadTokens: equal(usage.cacheReadTokens),
    cacheReadAudioTokens: equal(usage.cacheReadAudioTokens),
    cacheWrite5mTokens: equal(usage.cacheWrite5mTokens),
    cacheWrite1hTokens: equal(usage.cacheWrite1hTokens),
    outputTokens: byLength(usage.outputTokens),
    reasoningTokens: byLength(usage.reasoningTokens),
    outputAudioTokens: equal(usage.outputAudioTokens),
    outputImageTokens: equal(usage.outputImageTokens),
    webSearches: equal(usage.webSearches),
  }
}

/** Equal parts of a call's cost, which add up to it: money exactly. */
function costShare(cost: Cost, count: number, at: number): Cost {
  const part = (amount: number | null) => (amount === null ? null : amount / count)
  return {
    usd: cost.usd === null ? null : moneyShare(cost.usd, count, at),
    seconds: cost.seconds / count,
    joules: part(cost.joules),
    gramsCO2e: part(cost.gramsCO2e),
  }
}

function moneyShare(usd: Money, count: number, at: number): Money {
  const parts = BigInt(count)
  return picoUsd(usd / parts + (at === 0 ? usd % parts : 0n))
}

function shuffled(indexes: readonly number[], random: Random): number[] {
  const mixed = [...indexes]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(random.next() * (last + 1))
    const [a, b] = [mixed[last], mixed[other]]
    if (a !== undefined && b !== undefined) [mixed[last], mixed[other]] = [b, a]
  }
  return mixed
}
