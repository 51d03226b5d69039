import { formatUsd } from '../quantities/index.js'
import type { CostReport } from './codec.js'

/** What stands beside the token counts in a `usage` object, named as OpenRouter's clients expect. */
export interface CostFields {
  /** Dollars; `null` when the price is unknown. */
  readonly cost: number | null
  /** Dollars by bucket, and `upstream_inference_cost`: the whole of what the provider bills. */
  readonly cost_details: Readonly<Record<string, number | null>>
}

/** The money of a call as JSON. The numbers print the exact decimals wherever a double can hold them. */
export function costFields(report: CostReport): CostFields {
  const cost = report.usd === null ? null : Number(formatUsd(report.usd))
  const details: Record<string, number | null> = { upstream_inference_cost: cost }
  for (const [bucket, money] of Object.entries(report.details)) if (money !== undefined) details[bucket] = Number(formatUsd(money))
  return { cost, cost_details: details }
}

/** The same as JSON text, for bodies that are spliced and not written anew: exact decimals, with no detour through doubles. */
export function costTexts(report: CostReport): { readonly cost: string; readonly details: string } {
  const cost = report.usd === null ? 'null' : formatUsd(report.usd)
  let details = `{"upstream_inference_cost":${cost}`
  for (const bucket in report.details) {
    const money = report.details[bucket]
    if (money !== undefined) details += `,${JSON.stringify(bucket)}:${formatUsd(money)}`
  }
  return { cost, details: `${details}}` }
}
