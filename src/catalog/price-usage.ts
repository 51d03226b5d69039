import { picoUsd, totalInputTokens, type Money, type Usage } from '../quantities/index.js'
import type { PriceSheet, Rate } from './model.js'
import { sheetAt } from './price-sheet.js'

export interface PriceContext {
  /** The tier that the provider says it used. */
  readonly serviceTier?: string | undefined
  /** When the call was made, in Unix seconds. */
  readonly at: number
}

/** The price of a usage. */
export interface PricedUsage {
  readonly report: {
    /** `null` when any part is unknown. */
    readonly usd: Money | null
    /** Dollars by bucket, only those that are not zero; their sum is `usd`. Empty when that is unknown. */
    readonly details: Readonly<Partial<Record<string, Money>>>
  }
  /** A plain sentence: which price is missing, or which was assumed. */
  readonly warning?: string | undefined
  readonly source?: string | undefined
}

/** Names of buckets in a report; the same that a configuration uses for its prices. */
const buckets = [
  { usage: 'inputTokens', name: 'input' },
  { usage: 'inputAudioTokens', name: 'input_audio' },
  { usage: 'inputImageTokens', name: 'input_image' },
  { usage: 'inputVideoTokens', name: 'input_video' },
  { usage: 'cacheReadTokens', name: 'cache_read' },
  { usage: 'cacheReadAudioTokens', name: 'cache_read_audio' },
  { usage: 'cacheWrite5mTokens', name: 'cache_write_5m' },
  { usage: 'cacheWrite1hTokens', name: 'cache_write_1h' },
  { usage: 'outputTokens', name: 'output' },
  { usage: 'reasoningTokens', name: 'reasoning' },
  { usage: 'outputAudioTokens', name: 'output_audio' },
  { usage: 'outputImageTokens', name: 'output_image' },
] as const satisfies readonly { usage: keyof Usage; name: string }[]

/** A rate as the hot path wants it: plain numbers, thresholds from the highest down. */
interface CompiledRate {
  readonly base: number
  readonly steps: readonly { readonly above: number; readonly rate: number }[]
  readonly assumed: boolean
}

/** Rates in the order of `buckets`; `undefined` where none is known. */
type CompiledSheet = readonly (CompiledRate | undefined)[]

/** Tiers that cost what the sheet says. */
const ordinaryTiers = new Set(['default', 'standard', 'standard_only', 'auto', 'on_demand'])

/** Compiled sheets by sheet and tier multiplier. Sheets live as long as the catalog or configuration that made them. */
const compiled = new WeakMap<PriceSheet, Map<number, CompiledSheet>>()

/**
 * What a usage costs at a sheet's prices, exactly. The whole input decides the tier of every rate. A bucket that isn't empty
 * and has no rate makes the whole unknown (`null`), except for these rules, none of which can guess low:
 *
 * - reasoning, and images and video in, cost what output and input cost, when they have no rate of their own;
 * - cache reads without a rate cost what fresh input costs (no provider charges more);
 * - cache writes without a rate cost 1.25 × the input rate for five minutes and 2 × for an hour, which is what every
 *   provider that bills them takes; a warning says so.
 */
export function priceUsage(sheet: PriceSheet | undefined, usage: Usage, context: PriceContext): PricedUsage {
  if (!sheet) return unknown('no prices are known for this model, so the cost is unknown; set `prices` for it in the configuration')
  const current = sheetAt(sheet, context.at)
  const multiplier = tierMultiplier(current, context.serviceTier)
  if (multiplier === undefined)
    return unknown(`no price is known for the service tier "${context.serviceTier}" of this model, so the cost is unknown`, current.source)
  const rates = compile(current, multiplier)

  const details: Record<string, Money> = {}
  let total = 0n
  let missing: string[] | undefined
  let assumed: string[] | undefined
  let inputTokens = -1
  for (let index = 0; index < buckets.length; index++) {
    const bucket = buckets[index]
    if (!bucket) continue
    const tokens = usage[bucket.usage]
    if (!(tokens > 0)) continue
    const rate = rates[index]
    if (!rate) {
      ;(missing ??= []).push(bucket.name)
      continue
    }
    let perToken = rate.base
    if (rate.steps.length > 0) {
      if (inputTokens < 0) inputTokens = totalInputTokens(usage)
      for (const step of rate.steps) {
        if (inputTokens > step.above) {
          perToken = step.rate
          break
        }
      }
    }
    if (perToken === 0) continue
    if (rate.assumed) (assumed ??= []).push(bucket.name)
    const amount = product(tokens, perToken)
    details[bucket.name] = amount
    total += amount
  }
  if (usage.webSearches > 0) {
    if (current.webSearch === undefined) (missing ??= []).push('web_search')
    else if (current.webSearch > 0n) {
      const amount = picoUsd(BigInt(Math.ceil(usage.webSearches)) * current.webSearch)
      details['web_search'] = amount
      total += amount
    }
  }
  if (current.call !== undefined && current.call > 0n) {
    details['call'] = current.call
    total += current.call
  }
  if (missing) return unknown(`no price is known for ${missing.join(', ')} of this model, so the cost is unknown`, current.source)
  return {
    report: { usd: picoUsd(total), details },
    warning: assumed && `no price is known for ${assumed.join(', ')} of this model; the usual multiple of its input price was taken`,
    source: current.source,
  }
}

/** Usage as a provider reported it (`ReportedUsage` of the protocol room). */
export interface ReportedForPrice {
  readonly usage: Usage
  readonly serviceTier?: string | undefined
  readonly billedUsd?: Money | undefined
  readonly also?: readonly { readonly model: string; readonly usage: Usage }[] | undefined
}

/**
 * The price of what a provider reported: its own bill where it tells one, else the sheet's. `sheetOf` finds the sheets of other
 * models that the provider worked with on the way.
 */
export function priceReported(
  sheet: PriceSheet | undefined,
  reported: ReportedForPrice,
  at: number,
  sheetOf: (model: string) => PriceSheet | undefined = () => undefined,
): PricedUsage {
  const { billedUsd, serviceTier } = reported
  if (billedUsd !== undefined) return { report: { usd: billedUsd, details: {} }, source: 'provider' }
  const own = priceUsage(sheet, reported.usage, { serviceTier, at })
  if (!reported.also || own.report.usd === null) return own
  let total: bigint = own.report.usd
  const details: Record<string, Money | undefined> = { ...own.report.details }
  for (const { model, usage } of reported.also) {
    const other = priceUsage(sheetOf(model), usage, { serviceTier, at })
    if (other.report.usd === null) return unknown(`this call also used "${model}": ${other.warning ?? 'its cost is unknown'}`, own.source)
    total += other.report.usd
    for (const [bucket, amount] of Object.entries(other.report.details))
      if (amount !== undefined) details[bucket] = picoUsd((details[bucket] ?? 0n) + amount)
  }
  return { report: { usd: picoUsd(total), details }, warning: own.warning, source: own.source }
}

/**
 * The price of a call that lasted from `from` to `to` (epoch seconds): where the sheet's rates changed on the way, the dearer of both,
 * since providers don't say which moment counts.
 */
export function priceDuring(
  sheet: PriceSheet | undefined,
  reported: ReportedForPrice,
  { from, to }: { readonly from: number; readonly to: number },
  sheetOf?: (model: string) => PriceSheet | undefined,
): PricedUsage {
  const atEnd = priceReported(sheet, reported, to, sheetOf)
  if (sheet?.changes === undefined || from >= to || sheetAt(sheet, from) === sheetAt(sheet, to)) return atEnd
  const atStart = priceReported(sheet, reported, from, sheetOf)
  if (atStart.report.usd === null || atEnd.report.usd === null) return atStart.report.usd === null ? atStart : atEnd
  return atStart.report.usd > atEnd.report.usd ? atStart : atEnd
}

/** What a tier multiplies the rates with; `undefined` when its price isn't known. */
export function tierMultiplier(sheet: PriceSheet, serviceTier: string | undefined): number | undefined {
  if (serviceTier === undefined) return 1
  const own = sheet.serviceTiers?.[serviceTier] ?? sheet.serviceTiers?.[serviceTier.toLowerCase()]
  return own ?? (ordinaryTiers.has(serviceTier.toLowerCase()) ? 1 : undefined)
}

function unknown(warning: string, source?: string): PricedUsage {
  return { report: { usd: null, details: {} }, warning, source }
}

/** Exact: in doubles while they hold every integer, in big integers beyond. */
function product(tokens: number, rate: number): Money {
  const whole = Math.ceil(tokens)
  const fast = whole * rate
  return picoUsd(fast <= Number.MAX_SAFE_INTEGER ? fast : BigInt(whole) * BigInt(rate))
}

function compile(sheet: PriceSheet, multiplier: number): CompiledSheet {
  let byMultiplier = compiled.get(sheet)
  if (!byMultiplier) compiled.set(sheet, (byMultiplier = new Map()))
  const known = byMultiplier.get(multiplier)
  if (known) return known
  const own = (rate: Rate | undefined) => rate && compileRate(rate, multiplier, 1, false)
  const { input, output } = sheet
  const minutes = own(sheet.cacheWrite5m) ?? (input && compileRate(input, multiplier, 1.25, true))
  const rates: CompiledSheet = [
    own(input),
    own(sheet.inputAudio),
    own(sheet.inputImage ?? input),
    own(sheet.inputVideo ?? input),
    own(sheet.cacheRead ?? input),
    own(sheet.cacheReadAudio ?? sheet.inputAudio),
    minutes,
    own(sheet.cacheWrite1h) ?? (input && compileRate(input, multiplier, 2, true)),
    own(output),
    own(sheet.reasoning ?? output),
    own(sheet.outputAudio),
    own(sheet.outputImage),
  ]
  byMultiplier.set(multiplier, rates)
  return rates
}

function compileRate(rate: Rate, multiplier: number, times: number, assumed: boolean): CompiledRate {
  return {
    base: scaled(rate.base, multiplier * times),
    steps: rate.tiers
      .map((tier) => ({ above: tier.aboveInputTokens, rate: scaled(tier.rate, multiplier * times) }))
      .sort((a, b) => b.above - a.above),
    assumed,
  }
}

/** A rate at a tier, in whole picodollars, rounded up; but 150,000 × 5⁄3 is 250,000 and not one more for the noise of the double. */
function scaled(rate: Money, multiplier: number): number {
  const exact = Number(rate) * multiplier
  const nearest = Math.round(exact)
  return Math.abs(exact - nearest) <= nearest * 1e-12 ? nearest : Math.ceil(exact)
}
