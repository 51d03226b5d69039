import type { Hono } from 'hono'
import { BursarError } from '../../errors/index.js'
import type { DecisionRecord, LedgerReader, WeighedArm } from '../../ledger/index.js'
import { formatUsd, totalOutputTokens } from '../../quantities/index.js'
import { explainDecision } from '../../routing/index.js'
import type { Step } from '../../strategies/index.js'
import { decisionOf } from '../routing/index.js'
import { outcomeJson } from './feedback.js'
import type { UsageScope } from './usage.js'
import { invalid, UsageParameters } from './usage/query.js'

export interface DecisionParts {
  /** Throws `missing_key`, `invalid_key` or `key_expired` (401). */
  authorize(headers: Headers): UsageScope
  ledger(): LedgerReader
  /** What the strategy did, as long as this process remembers it. */
  stepsOf?(decisionId: string): readonly Step[] | undefined
}

const MOST_LISTED = 200
/** Decisions that one answer looks at, for those where something was weighed. */
const MOST_LOOKED_AT = 5_000
const PAGE = 500
/** Records closer than this in time count as at the same moment: a store may round. Seconds. */
const moment = 1e-5
/** Decisions of one moment that a page may begin among. */
const MOST_AT_ONCE = 65_536

/** `GET /v1/decisions` and `GET /v1/decisions/{id}`: a key sees its own decisions. */
export function addDecisionRoutes(app: Hono, { authorize, ledger, stepsOf }: DecisionParts): void {
  app.get('/v1/decisions', async (c) => {
    const scope = authorize(c.req.raw.headers)
    const parameters = new UsageParameters(c.req.queries())
    const limit = parameters.wholeNumber('limit', 1, MOST_LISTED, 50)
    const weighed = parameters.oneOf('weighed', ['true', 'false'], 'false') === 'true'
    const after = parameters.text('after')
    const asked = parameters.text('key')
    parameters.end()
    if (scope !== 'all' && asked !== undefined && asked !== scope.key)
      throw new BursarError('A key sees its own decisions only; the admin key sees all.', { code: 'admin_only', status: 403, path: 'key' })
    const { decisions, next } = await newestDecisions(ledger(), { key: scope === 'all' ? asked : scope.key, limit, after, weighed })
    return c.json({ object: 'list', data: decisions.map(summaryJson), next: next ?? null })
  })

  app.get('/v1/decisions/:id', async (c) => {
    const scope = authorize(c.req.raw.headers)
    const reader = ledger()
    const decision = await reader.decision(c.req.param('id'))
    if (!decision || (scope !== 'all' && decision.key !== scope.key))
      throw new BursarError('There is no such decision, or it is no longer remembered.', { code: 'not_found', status: 404 })
    const calls = await reader.calls({ requestId: decision.requestId, limit: 100 })
    const outcomes = await reader.outcomes({ decisionId: decision.decisionId, limit: 100 })
    return c.json({
      ...plainJson(decision),
      ...weighedJson(decision),
      ...trialJson(decision),
      ...stepsJson(stepsOf?.(decision.decisionId)),
      calls: calls.map((call) => ({
        id: call.callId,
        deployment: call.deployment,
        model: call.model,
        attempt: call.attempt,
        end: call.end,
        status: call.status,
        error: call.errorCode ?? null,
        usage: call.usage,
        usage_estimated: call.usageEstimated,
        cost: call.cost.usd === null ? null : Number(formatUsd(call.cost.usd)),
        seconds: call.cost.seconds,
        first_token_seconds: call.firstTokenSeconds ?? null,
        price_source: call.priceSource ?? null,
      })),
      outcomes: outcomes.map(outcomeJson),
    })
  })
}

/** What a strategy of several calls did, step by step; no content. */
function stepsJson(steps: readonly Step[] | undefined): Record<string, unknown> {
  if (steps === undefined) return {}
  return {
    steps: steps.map(({ name, model, usage, cost, note }) => ({
      name,
      model,
      output_tokens: totalOutputTokens(usage),
      cost: cost.usd === null ? null : Number(formatUsd(cost.usd)),
      note: note ?? null,
    })),
  }
}

interface DecisionsAsked {
  readonly key: string | undefined
  readonly limit: number
  /** Id of a decision: those before it are wanted. */
  readonly after: string | undefined
  /** Only where several arms were weighed. */
  readonly weighed: boolean
}

/** The newest first; `next` where there may be more. Reads at most `MOST_LOOKED_AT` records beside those of one moment. Throws `InvalidRequest` for an `after` that isn't known. */
async function newestDecisions(
  ledger: LedgerReader,
  { key, limit, after, weighed }: DecisionsAsked,
): Promise<{ readonly decisions: readonly DecisionRecord[]; readonly next: string | undefined }> {
  let last = after === undefined ? undefined : await ledger.decision(after)
  if (after !== undefined && (last === undefined || (key !== undefined && last.key !== key)))
    throw invalid('after', 'there is no such decision, or it is no longer remembered')
  const found: DecisionRecord[] = []
  for (let looked = 0; looked < MOST_LOOKED_AT;) {
    const size = weighed ? PAGE : limit - found.length + 1
    const page = await pageAfter(ledger, key, last, size)
    for (const decision of page) {
      if (found.length === limit) return { decisions: found, next: found.at(-1)?.decisionId }
      looked++
      last = decision
      if (!weighed || (decision.weighed?.arms.length ?? 0) > 1) found.push(decision)
    }
    if (page.length < size) return { decisions: found, next: undefined }
    if (!weighed) break
  }
  return { decisions: found, next: last?.decisionId }
}

/** At most `size` decisions that come after this one in the ledger's order. Those of its own moment are told apart by its id. */
async function pageAfter(
  ledger: LedgerReader,
  key: string | undefined,
  last: DecisionRecord | undefined,
  size: number,
): Promise<readonly DecisionRecord[]> {
  if (last === undefined) return ledger.decisions({ key, limit: size })
  for (let more = 16; more <= MOST_AT_ONCE; more *= 8) {
    const page = await ledger.decisions({ key, to: last.at + moment, limit: size + more })
    const place = page.findIndex(({ decisionId }) => decisionId === last.decisionId)
    if (place !== -1 && (page.length < size + more || page.length - place - 1 >= size)) return page.slice(place + 1, place + 1 + size)
    // It is no longer remembered: whatever is older comes after it.
    if (page.length < size + more) return page.filter(({ at }) => at < last.at).slice(0, size)
  }
  throw new BursarError('Too many decisions are at one moment to be listed.', { code: 'internal_error', status: 500 })
}

function plainJson({
  decisionId,
  requestId,
  at,
  requestedModel,
  arm,
  policy,
  propensity,
  reason,
}: DecisionRecord): Record<string, unknown> {
  return {
    id: decisionId,
    request_id: requestId,
    created: Math.floor(at),
    requested_model: requestedModel,
    arm,
    policy,
    propensity,
    reason,
  }
}

/** A row of the list: what was weighed is told of in the decision itself. */
function summaryJson(record: DecisionRecord): Record<string, unknown> {
  const { explanation: _explanation, alternatives: _alternatives, excluded: _excluded, ...weighed } = weighedJson(record)
  return { ...plainJson(record), key: record.key, weighed_arms: record.weighed?.arms.length ?? 0, ...weighed, ...trialJson(record) }
}

/** What was weighed for a decision, with the whole of it in words. */
function weighedJson(record: DecisionRecord): Record<string, unknown> {
  const { weighed } = record
  if (weighed === undefined) return {}
  const estimate = (of: WeighedArm) => ({
    arm: of.arm,
    quality: of.quality,
    quality_deviation: of.qualityDeviation,
    cost: of.usd,
    output_tokens: of.outputTokens,
    seconds: of.seconds,
    joules: of.joules,
    support: of.support,
  })
  const arms = weighed.arms.map(estimate)
  return {
    explanation: explainDecision(decisionOf(record)).join('\n'),
    objective: weighed.objective,
    reference: weighed.reference,
    explored: weighed.explored,
    familiarity: weighed.familiarity,
    expected: arms.find(({ arm }) => arm === record.arm) ?? null,
    expected_of_reference: arms.find(({ arm }) => arm === weighed.reference) ?? null,
    alternatives: arms,
    excluded: weighed.excluded,
  }
}

/** Its part in the live proof. */
function trialJson({ trial }: DecisionRecord): Record<string, unknown> {
  return trial === undefined
    ? {}
    : {
        trial: {
          held_out: trial.heldOut,
          holdout: trial.holdout,
          policy_arm: trial.policyArm,
          stratum: trial.stratum ?? null,
          unit: trial.unit ?? null,
        },
      }
}
