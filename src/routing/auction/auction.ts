import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import type { CallOptions, Completion, Environment } from '../../environment/index.js'
import { edit, type Delta, type Message, type Request } from '../../protocol/index.js'
import { totalOutputTokens } from '../../quantities/index.js'
import {
  askMaybe,
  jsonIn,
  questionOf,
  saidAfter,
  single,
  Tally,
  textOf,
  type Answer,
  type ModelUse,
  type Strategy,
} from '../../strategies/index.js'
import type { SparseVector } from '../../understanding/index.js'
import type { AuctionMemory, AuctionRecord } from './auction-memory.js'
import { juryScores, initialWeights, settle, type Bid, type ScoredBid } from './bids.js'

export interface AuctionAgent extends ModelUse {
  /** As lessons and records call it, such as the arm's id; the model's when absent. */
  readonly name?: string | undefined
  /** Carries the task out; one call of the model when absent. */
  readonly strategy?: Strategy | undefined
  /** Dollars an output token costs: what a plan's length is multiplied by. */
  readonly usdPerOutputToken: number
  /** Probability of success that a predictor gives this agent for a request; `null` where nothing is known. */
  readonly predicted?: ((request: Request) => number | null) | undefined
}

export interface AuctionOptions {
  /** At least one; the first carries out what no plan was got for. */
  readonly agents: readonly [AuctionAgent, ...AuctionAgent[]]
  /** Past auctions: absent, no bid is refined and the weights don't learn. */
  readonly memory?: AuctionMemory | undefined
  /** A task as a vector, for the memory: `Features.lexical` of the request. */
  readonly vectorOf?: ((request: Request) => SparseVector) | undefined
  /** Output tokens of a plan at most; 256 by default (the paper has 200 to 300). */
  readonly planTokens?: number | undefined
  /** Whether the winner is given its own plan after the task; true by default. */
  readonly handPlan?: boolean | undefined
}

/** Similar auctions that an agent sees when it refines its bid (143). */
const similarTasks = 3
/** Characters of a task that bidders and judges see. */
const longestTask = 8000
const judgeTokens = 200

/**
 * An auction with memory (143 SALE): every agent bids a short plan; each judges all plans in one call; the lowest w_C·Ĉ − V wins
 * provisionally. Agents cheaper than it may then refine their bids by the plans that won and failed on the three most similar tasks, all plans are judged again, and the
 * cheapest way that scores best is carried out, streaming. Other strategies answer the plain request; bidding and judging see its last user text and the
 * names of its tools only. Costs at most 4 short calls an agent beside the work, so it is for long agentic tasks: see `auctioned` for the gate.
 *
 * An agent that fails to bid or to judge is left out; where nobody bids, or the budget holds one call more, the first agent works without an auction.
 * Throws `BursarError` (`invalid_configuration`) for settings out of range; `run` throws what the winner throws.
 */
export function auction(options: AuctionOptions): Strategy {
  const { agents, memory, vectorOf, planTokens = 256, handPlan = true } = options
  for (const [index, { usdPerOutputToken }] of agents.entries())
    if (!(usdPerOutputToken >= 0 && usdPerOutputToken < Number.POSITIVE_INFINITY))
      throw new BursarError(`agents[${index}].usdPerOutputToken must be a price of at least 0, not ${usdPerOutputToken}.`, {
        code: 'invalid_configuration',
        status: 500,
        path: `agents[${index}].usdPerOutputToken`,
      })
  if (!Number.isInteger(planTokens) || planTokens < 1)
    throw new BursarError('planTokens must be a whole number of at least 1.', {
      code: 'invalid_configuration',
      status: 500,
      path: 'planTokens',
    })
  const workers = agents.map((agent) => agent.strategy ?? single(agent.model))

  return {
    id: `auction(${agents.map(({ model }) => model).join(', ')})`,
    plan: agents.flatMap((agent, index) => [
      { model: agent.model, expected: 2.5, most: 4, outputRatio: 0.2 },
      ...(workers[index]?.plan ?? []).map((use) => ({ ...use, expected: use.expected / agents.length })),
    ]),
    async *run(request: Request, env: Environment, callOptions?: CallOptions): AsyncGenerator<Delta, Answer> {
      const tally = new Tally()
      const task = questionOf(request).slice(0, longestTask)
      const alone = agents.length === 1 || task.trim() === '' || env.budget.regime() === 'last_call'
      const bids = alone ? [] : await offers(agents, request, env, tally, planTokens, () => planPrompt(task, request))
      const ranked = bids.length === 0 ? [] : await rank(bids, agents, task, request, env, tally, memory)
      const vector = ranked.length > 0 ? vectorOf?.(request) : undefined
      const refined =
        vector && memory
          ? await refine(ranked, memory.similar(vector, similarTasks), agents, task, request, env, tally, planTokens, memory)
          : ranked
      const winner = refined[0]
      const index = winner?.bid.agent ?? 0
      const agent = agents[index] ?? agents[0]
      const worker = workers[index] ?? single(agent.model)

      const work =
        winner && handPlan && request.messages.at(-1)?.role === 'user'
          ? edit(request, { messages: saidAfter(request.messages, `Work by this plan:\n${winner.bid.plan}`) })
          : request
      const answer = yield* worker.run(work, env, work === request ? callOptions : undefined)
      tally.addAnswer('work', answer, winner ? `won the auction of ${bids.length}` : 'no auction was held')
      if (winner && vector && memory) {
        tally.teach({ kind: 'auction', id: answer.completion.callId, winner: nameOf(agent) })
        memory.add({
          id: answer.completion.callId,
          task: vector,
          bids: refined.map(({ bid, score }) => ({ agent: nameOf(agents[bid.agent]), plan: bid.plan, score })),
          winner: nameOf(agent),
          signs: winner.signs,
          won: null,
        })
      } else tally.teach({ kind: 'auction', id: '', winner: nameOf(agent) })
      return tally.answer(answer.completion, { evidence: answer.evidence, fellBackFrom: answer.fellBackFrom })
    },
  }
}

function nameOf(agent: AuctionAgent | undefined): string {
  return agent?.name ?? agent?.model ?? ''
}

/** One plan an agent, asked for at once. */
async function offers(
  agents: readonly AuctionAgent[],
  request: Request,
  env: Environment,
  tally: Tally,
  planTokens: number,
  promptFor: (agent: AuctionAgent) => string | null,
): Promise<readonly Bid[]> {
  const asked = await Promise.all(
    agents.map(async (agent) => {
      const prompt = promptFor(agent)
      return prompt === null
        ? null
        : await askMaybe(env, agent, request, { messages: [saying(prompt)], maxOutputTokens: planTokens }, 'plan', tally)
    }),
  )
  return asked.flatMap((completion, index) => {
    const agent = agents[index]
    if (!completion || !agent) return []
    const plan = textOf(completion).trim()
    tally.add('plan', completion, plan === '' ? 'made no bid' : undefined)
    if (plan === '') return []
    const predicted = agent.predicted?.(request) ?? null
    return [
      {
        agent: index,
        plan,
        cost: agent.usdPerOutputToken * lengthOf(completion),
        predicted: predicted !== null && predicted >= 0 && predicted <= 1 ? predicted : null,
      },
    ]
  })
}

function lengthOf({ usage }: Completion): number {
  return Math.max(1, totalOutputTokens(usage))
}

/** Every bidder judges all plans in one call; then the bids are scored. */
async function rank(
  bids: readonly Bid[],
  agents: readonly AuctionAgent[],
  task: string,
  request: Request,
  env: Environment,
  tally: Tally,
  memory: AuctionMemory | undefined,
): Promise<readonly ScoredBid[]> {
  const weights = memory?.weights ?? initialWeights
  // One bid needs no judge.
  if (bids.length === 1) return settle(bids, [0.5], weights)
  const judges = [...new Set(bids.map(({ agent }) => agent))]
  const scores = await Promise.all(
    judges.map(async (judge) => {
      const agent = agents[judge]
      const completion =
        agent &&
        (await askMaybe(env, agent, request, { messages: [saying(judgePrompt(task, bids))], maxOutputTokens: judgeTokens }, 'judge', tally))
      if (!completion) return bids.map(() => null)
      const read = verdicts.safeParse(jsonIn(textOf(completion)))
      const sound = read.success && read.data.length === bids.length
      tally.add('judge', completion, sound ? undefined : 'gave no scores that could be read')
      return sound ? read.data : bids.map(() => null)
    }),
  )
  return settle(bids, juryScores(scores, judges, bids), weights)
}

const verdicts = z.array(z.number().min(0).max(10))

/** Agents cheaper than the provisional winner bid once more, with what similar tasks teach; a revised bid takes the place of the agent's first. */
async function refine(
  ranked: readonly ScoredBid[],
  similar: readonly AuctionRecord[],
  agents: readonly AuctionAgent[],
  task: string,
  request: Request,
  env: Environment,
  tally: Tally,
  planTokens: number,
  memory: AuctionMemory,
): Promise<readonly ScoredBid[]> {
  const leader = ranked[0]
  const price = leader && agents[leader.bid.agent]?.usdPerOutputToken
  if (!leader || price === undefined || similar.length === 0) return ranked
  const revised = await offers(agents, request, env, tally, planTokens, (agent) => {
    const first = ranked.find(({ bid }) => agents[bid.agent] === agent)
    return agent.usdPerOutputToken < price && first ? refinePrompt(task, first.bid.plan, similar) : null
  })
  if (revised.length === 0) return ranked
  const bids = ranked.map(({ bid }) => revised.find(({ agent }) => agent === bid.agent) ?? bid)
  return rank(bids, agents, task, request, env, tally, memory)
}

function planPrompt(task: string, { tools = [] }: Request): string {
  const named = tools.flatMap((tool) => (tool.type === 'function' ? [tool.name] : []))
  return `Several agents offer to do a task; the best plan is chosen. In at most 150 words, say the steps you would take, the tools you would use, and what may go wrong. Do not do the task.${named.length > 0 ? `\n\nTools: ${named.join(', ')}` : ''}\n\nTask:\n${task}`
}

function judgePrompt(task: string, bids: readonly Bid[]): string {
  const plans = bids.map(({ plan }, index) => `Plan ${index + 1}:\n${plan}`).join('\n\n')
  return `How likely does each plan lead to success at the task? Answer with a JSON array of ${bids.length} numbers from 0 (surely fails) to 10 (surely succeeds), in the plans' order, and nothing else.\n\nTask:\n${task}\n\n${plans}`
}

function refinePrompt(task: string, plan: string, similar: readonly AuctionRecord[]): string {
  const lessons = similar.map(({ bids, winner, won }, index) => {
    const chosen = bids.find(({ agent }) => agent === winner)?.plan ?? ''
    const passed = bids.find(({ agent }) => agent !== winner)?.plan
    return `Similar task ${index + 1}. The plan that was chosen ${won ? 'succeeded' : 'failed'}:\n${chosen}${passed === undefined ? '' : `\nA plan that was not chosen:\n${passed}`}`
  })
  return `You offered this plan for a task. Improve it by what similar tasks teach, in at most 150 words; answer with the plan alone.\n\nTask:\n${task}\n\nYour plan:\n${plan}\n\n${lessons.join('\n\n')}`
}

function saying(text: string): Message {
  return { role: 'user', parts: [{ type: 'text', text }] }
}
