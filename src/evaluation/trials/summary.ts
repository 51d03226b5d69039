import type { Evaluated } from './evaluate.js'
import type { StopReason } from './evaluation-run.js'
import type { DecisionRule } from './decision.js'
import type { Lead, MethodScore } from './score.js'

/** A method in a summary. */
export interface MethodSummary extends MethodScore {
  readonly id: string
  /** Mean score over the whole test set, as the search estimates it. */
  readonly estimate: number
  /** Probability of being the best on this test set. */
  readonly best: number
}

/** An evaluation as figures, the best first: what tables, JSON and pages are made of. */
export interface EvaluationSummary {
  readonly suite: string
  readonly stop: StopReason
  readonly decided: boolean
  readonly rule: DecisionRule
  readonly leader: string
  /** Of the next best, how far the leader is ahead of it on the items both were scored on. Absent with one method. */
  readonly lead: (Lead & { readonly next: string }) | undefined
  readonly methods: readonly MethodSummary[]
  readonly cells: { readonly scored: number; readonly of: number; readonly kept: number; readonly failed: number }
  /** What this run was billed; dollars are `null` where a price isn't known. */
  readonly spent: { readonly usd: number | null; readonly calls: number; readonly seconds: number }
  /** One sentence on why it ended, and one on what holds. */
  readonly because: string
  readonly holds: string
  readonly failure: string | undefined
  readonly notes: readonly string[]
}

export function summaryOf({ suite, stop, standing, score, failure, seconds }: Evaluated, rule: DecisionRule): EvaluationSummary {
  const methods = suite.methods.map(({ id }, method): MethodSummary => ({
    id,
    estimate: standing.means[method] ?? NaN,
    best: standing.best[method] ?? 0,
    ...score.methodScore(method),
  }))
  const order = methods
    .map((_, method) => method)
    .sort((a, b) => Number(b === standing.leader) - Number(a === standing.leader) || orderOf(methods[b]) - orderOf(methods[a]))
  const leader = suite.methods[standing.leader]?.id ?? ''
  const second = order[1]
  const lead = second === undefined ? undefined : { ...score.lead(standing.leader, second), next: suite.methods[second]?.id ?? '' }
  const base = {
    suite: suite.name,
    stop,
    decided: standing.decided,
    rule,
    leader,
    lead,
    methods: order.flatMap((method) => methods[method] ?? []),
    cells: score.progress,
    spent: { usd: score.dollars, calls: score.calls, seconds },
    failure: failure?.message,
    notes: suite.notes,
  }
  return { ...base, because: because(base), holds: holds(base, standing.guaranteeHolds, standing.beaten) }
}

function orderOf(method: MethodSummary | undefined): number {
  return Number.isNaN(method?.estimate) ? -Infinity : (method?.estimate ?? -Infinity)
}

/** A share as whole percents, never rounded up to all of it. */
export function percentOf(share: number): string {
  return share > 0.995 && share < 1 ? '> 99 %' : `${Math.round(100 * share)} %`
}

function because({
  stop,
  rule,
  leader,
  cells,
  failure,
  methods,
  decided,
}: Pick<EvaluationSummary, 'stop' | 'rule' | 'leader' | 'cells' | 'failure' | 'methods' | 'decided'>): string {
  const sure = percentOf(methods[0]?.best ?? 0)
  const within = rule.indifference > 0 ? ` or within ${rule.indifference} of it` : ''
  const left = cells.of - cells.scored
  const open = decided ? '' : ` "${leader}" leads; that it is the best is ${sure} probable.`
  const tied = methods.filter(({ estimate }) => estimate === methods[0]?.estimate).length
  const allScored = `All ${cells.of} cells are scored: ${tied > 1 ? `${tied} methods share the highest mean, "${leader}" among them` : `"${leader}" has the highest mean`}.`
  switch (stop) {
    case 'decided':
      if (left <= 0) return allScored
      return `Decided: "${leader}" is the best${within} (${rule.kind === 'guaranteed' ? `proven at ${percentOf(rule.confidence)}` : `${sure} probable, ${percentOf(rule.confidence)} wanted`}). ${left} of ${cells.of} cells needed no call.`
    case 'exhausted':
      return left <= 0 ? allScored : `Nothing is left to ask with ${left} of ${cells.of} cells open.${open}`
    case 'budget':
      return `Not decided: the budget has no room for another call.${open}${failure === undefined ? '' : ` ${failure}`}`
    case 'time':
      return `Not decided: the time is up.${open}`
    case 'interrupted':
      return `Interrupted.${open}`
    case 'failing':
      return `Stopped, because calls fail again and again${failure === undefined ? '' : `: ${failure.replace(/\.+$/, '')}`}.${open}`
  }
}

function holds(
  { rule, cells, methods }: Pick<EvaluationSummary, 'rule' | 'cells' | 'methods'>,
  guarantees: boolean,
  beaten: number | null,
): string {
  if (cells.scored >= cells.of)
    return 'Every method was scored on every item, so the order on this test set is exact; how far it carries to other questions is what the intervals say.'
  if (rule.kind === 'guaranteed')
    return guarantees
      ? `The proof holds however often one looks: a wrong leader is declared in at most ${percentOf(1 - rule.confidence)} of evaluations, with scores in [0, 1] and no other assumption (betting on items drawn without replacement, Bonferroni over ${methods.length - 1} rivals; ${beaten ?? 0} beaten).`
      : 'This way of searching chooses items by what was scored on them, so nothing can be proven. Use --search elimination.'
  return 'The probability is a belief (Bayesian), looked at after every score: over many evaluations it may be wrong more often than it says. For a proof that holds at every look: --guarantee.'
}
