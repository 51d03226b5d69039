import { noUsage, toDollars } from '../../quantities/index.js'
import { auction, type AuctionAgent, type AuctionMemory, type AuctionOptions } from '../../routing/index.js'
import type { RoutingConfig } from '../config/index.js'
import { factsOf, type ArmSet, type LiveArm } from './arms.js'

/** The arm that an auction answers as. */
export const AUCTION_ARM = 'auction'

/** What auctions of a tenant remember, and how they tell tasks apart. */
export interface AuctionParts extends Pick<AuctionOptions, 'vectorOf'> {
  readonly memory: AuctionMemory
  /** Quality that is expected of an arm for a request; `null` where nothing is known. */
  predicted(arm: string, request: Parameters<NonNullable<AuctionAgent['predicted']>>[0]): number | null
}

/** The arms of a configuration with its auction among them, which only `auctioned` may choose. */
export function withAuction(arms: ArmSet, config: Pick<RoutingConfig, 'policy'>, partsOf: (tenant: string) => AuctionParts): ArmSet {
  const held = auctionArm(config, arms.byId, partsOf)
  if (held === undefined) return arms
  return { ...arms, arms: [...arms.arms, held], byId: new Map([...arms.byId, [held.id, held]]), facts: [...arms.facts, factsOf(held)] }
}

/** Tokens over which a price is taken, so that rounding is nothing. */
const MILLION = 1_000_000

/**
 * The auction of `policy.auction` as an arm (143): its bidders are arms. `undefined` where there is none, or fewer than two of its bidders exist
 * and have a known price: what plans cost must be known before they are asked for.
 */
function auctionArm(
  { policy: { auction: wanted } }: Pick<RoutingConfig, 'policy'>,
  byId: ReadonlyMap<string, LiveArm>,
  partsOf: (tenant: string) => AuctionParts,
): LiveArm | undefined {
  if (wanted === undefined) return undefined
  const bidders = wanted.bidders.flatMap((name) => {
    const arm = byId.get(name)
    const price = arm?.card.priceOf?.({ ...noUsage, outputTokens: MILLION })
    return arm === undefined || price == null ? [] : [{ arm, usdPerOutputToken: toDollars(price) / MILLION }]
  })
  const [first, second, ...others] = bidders
  if (first === undefined || second === undefined) return undefined
  const held = [first, second, ...others] as const
  const strategyOf = (tenant?: string, explore?: boolean) => {
    const parts = tenant === undefined ? undefined : partsOf(tenant)
    const agentOf = ({ arm, usdPerOutputToken }: (typeof bidders)[number]): AuctionAgent => ({
      name: arm.id,
      model: arm.model,
      usdPerOutputToken,
      strategy: tenant === undefined ? arm.strategy : arm.strategyFor(tenant, explore),
      predicted: parts && ((request) => parts.predicted(arm.id, request)),
    })
    return auction({
      agents: [agentOf(held[0]), ...held.slice(1).map(agentOf)],
      planTokens: wanted.plan_tokens,
      memory: parts?.memory,
      vectorOf: parts?.vectorOf,
    })
  }
  const dearest = held.reduce((most, one) => (one.usdPerOutputToken > most.usdPerOutputToken ? one : most)).arm
  const all = (able: (arm: LiveArm) => boolean | undefined) => {
    const known = held.map(({ arm }) => able(arm))
    return known.includes(false) ? false : known.includes(undefined) ? undefined : true
  }
  const windows = held.flatMap(({ arm }) => arm.card.contextTokens ?? [])
  return {
    id: AUCTION_ARM,
    strategy: strategyOf(),
    strategyFor: (tenant, explore) => strategyOf(tenant, explore),
    model: first.arm.model,
    card: {
      ...dearest.card,
      effort: undefined,
      style: undefined,
      contextTokens: windows.length === 0 ? undefined : Math.min(...windows),
      tools: all(({ card }) => card.tools),
      images: all(({ card }) => card.images),
      structured: all(({ card }) => card.structured),
    },
    prior: dearest.prior,
    // In the order of the auction's plan: of each bidder its plans and judgements, then its work.
    prices: held.flatMap(({ arm }) => [arm.card.priceOf, ...arm.prices]),
    routes: held.flatMap(({ arm }) => arm.routes),
  }
}
