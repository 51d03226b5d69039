import { initialWeights, juryScores, learnWeights, settle, type AuctionWeights } from '../../src/routing/index.js'
import { normalDraw, seededRandom } from '../../src/statistics/index.js'
import type { Estimate } from '../report.js'
import { bootstrap } from './scene.js'

export interface AuctionRow {
  readonly chooser: string
  readonly success: Estimate
  /** Dollars a task relative to the largest agent alone, plans and judging included. */
  readonly cost: number
  readonly shareOfLargest: number
}

interface Agent {
  readonly skill: number
  readonly price: number
}

/** Four sizes, as the paper has (4B to 32B): skill in log-difficulty, price a unit of work. */
const agents: readonly Agent[] = [
  { skill: 0.3, price: 1 },
  { skill: 0.9, price: 2 },
  { skill: 1.5, price: 3.5 },
  { skill: 2.2, price: 8 },
]
/** Words of each agent's plan, drawn so that entropy tells nothing: it's the jury that is tested. */
const plan = 'read the task find the files change them run the tests report what failed'
/** A plan and a judgement cost this much of the work they are for (0.4 asks for at most a twentieth). */
const overheadShare = 0.02

/**
 * The simulator of 143: difficulty τ log-normal, success logistic in skill − log τ, and each judge sees an agent's chance of success plus noise σ. Through the product's own
 * `juryScores`, `settle` and `learnWeights`. Beside it: each agent alone, a router by descriptions (knows every agent's mean success, nothing of the task), at random, and the oracle (the cheapest that succeeds most
 * likely enough to be worth it at the same trade-off).
 */
export function auctions(sigma: number, tasks: number, seed: number): readonly AuctionRow[] {
  const random = seededRandom(seed)
  const drawn = Array.from({ length: tasks }, () => {
    const logDifficulty = 1 + 1.2 * normalDraw(random)
    const chances = agents.map(({ skill }) => 1 / (1 + Math.exp(-3 * (skill - logDifficulty))))
    return { chances, luck: random.next(), work: Math.exp(0.4 * normalDraw(random)) }
  })
  const training = drawn.slice(0, Math.floor(tasks / 2))
  const tested = drawn.slice(training.length)
  const largest = agents.length - 1
  const meanWork = tested.reduce((sum, { work }) => sum + work, 0) / tested.length
  const row = (chooser: string, choose: (task: (typeof drawn)[number]) => number, overhead: number): AuctionRow => {
    const choices = tested.map(choose)
    const costs = tested.map((task, index) => (agents[choices[index] ?? 0]?.price ?? 0) * task.work)
    const plans = overhead * agents.reduce((sum, { price }) => sum + price, 0) * meanWork
    return {
      chooser,
      success: bootstrap(
        tested.map(({ chances, luck }, index) => Number(luck < (chances[choices[index] ?? 0] ?? 0))),
        seed,
      ),
      cost: (costs.reduce((sum, cost) => sum + cost, 0) / tested.length + plans) / ((agents[largest]?.price ?? 1) * meanWork),
      shareOfLargest: choices.filter((choice) => choice === largest).length / tested.length,
    }
  }
  const bidsOf = (task: (typeof drawn)[number]) => {
    const bids = agents.map(({ price }, agent) => ({ agent, plan, cost: price * task.work, predicted: null }))
    const jury = juryScores(
      agents.map(() => task.chances.map((chance) => chance + sigma * normalDraw(random))),
      agents.map((_, index) => index),
      bids,
    )
    return { bids, jury }
  }
  const auctioned = (weights: AuctionWeights) => (task: (typeof drawn)[number]) => {
    const { bids, jury } = bidsOf(task)
    return settle(bids, jury, weights)[0]?.bid.agent ?? 0
  }
  let weights = initialWeights
  for (const task of training) {
    const { bids, jury } = bidsOf(task)
    const winner = settle(bids, jury, weights)[0]
    if (winner) weights = learnWeights(weights, winner.signs, task.luck < (task.chances[winner.bid.agent] ?? 0))
  }
  const meanSuccess = agents.map((_, index) => training.reduce((sum, { chances }) => sum + (chances[index] ?? 0), 0) / training.length)
  const highest = Math.max(...agents.map(({ price }) => price))
  // What a right answer is worth, in costs of the largest agent: that of the scores' own scale.
  const worth = 2.5
  const best = (chances: readonly number[]) =>
    agents.reduce(
      (top, { price }, index) =>
        worth * (chances[index] ?? 0) - price / highest > worth * (chances[top] ?? 0) - (agents[top]?.price ?? 0) / highest ? index : top,
      0,
    )
  return [
    ...agents.map((_, index) => row(`agent ${index + 1} alone`, () => index, 0)),
    row('random', () => Math.floor(random.next() * agents.length), 0),
    row('by descriptions', () => best(meanSuccess), 0),
    row('auction, initial weights', auctioned(initialWeights), 2 * overheadShare),
    row('auction, learned weights', auctioned(weights), 2 * overheadShare),
    row('oracle', ({ chances }) => best(chances), 0),
  ]
}
