import { InvalidRequest } from '../../../errors/index.js'

/** How a model may be adapted, with the accuracy that was forecast or measured. */
export interface AdaptationOption {
  readonly name: string
  readonly accuracy: number
  /** Paid once. */
  readonly trainingUsd: number
  /** Paid for each request. */
  readonly requestUsd: number
}

export interface AdaptationChoice extends AdaptationOption {
  readonly totalUsd: number
  /** worth · accuracy · requests − dollars. */
  readonly utility: number
}

/**
 * Multiply-adds of a training token by parameter: forward 2, backward 4 (Kaplan et al. 2020, 2.1). With frozen weights (LoRA) the
 * backward pass needs no weight gradients: 4 of 6.
 */
const flopsPerToken = { full: 6, frozen: 4 } as const

/**
 * Dollars to fine-tune: flops/token · parameters · tokens · epochs / (peak · utilisation) seconds of accelerator, by its hourly price.
 * All from the caller; `utilisation` is the share of the peak that training reaches, 0.3 unless told otherwise (ours, on the low side).
 * O(1).
 */
export function trainingUsd({
  parameters,
  tokens,
  epochs,
  kind,
  peakFlops,
  usdPerHour,
  utilisation = 0.3,
}: {
  readonly parameters: number
  readonly tokens: number
  readonly epochs: number
  readonly kind: keyof typeof flopsPerToken
  readonly peakFlops: number
  readonly usdPerHour: number
  readonly utilisation?: number
}): number {
  return ((flopsPerToken[kind] * parameters * tokens * epochs) / (peakFlops * utilisation) / 3600) * usdPerHour
}

/** Dollars a request: (instruction + shots · example + question) input tokens and the output's, at dollars a million. O(1). */
export function shotRequestUsd(
  {
    fixedTokens,
    exampleTokens,
    outputTokens,
    inputPrice,
    outputPrice,
  }: {
    readonly fixedTokens: number
    readonly exampleTokens: number
    readonly outputTokens: number
    readonly inputPrice: number
    readonly outputPrice: number
  },
  shots: number,
): number {
  return ((fixedTokens + shots * exampleTokens) * inputPrice + outputTokens * outputPrice) / 1e6
}

/**
 * All options by falling utility: what a right answer is worth to the caller, times the accuracy and the requests to come, less
 * training and running (COSMOS's argmax, 044). Options beyond the budget come last, in the same order. Throws `InvalidRequest` where
 * nothing is given or a number is out of range. O(n log n).
 */
export function chooseAdaptation(
  options: readonly AdaptationOption[],
  { requests, worth, budget = Infinity }: { readonly requests: number; readonly worth: number; readonly budget?: number },
): readonly AdaptationChoice[] {
  if (options.length === 0) throw new InvalidRequest('There are no options to choose from.', { path: 'options' })
  for (const [name, value] of Object.entries({ requests, worth, budget }))
    if (!(value >= 0)) throw new InvalidRequest(`${name} is ${value}; a number of at least 0 was expected.`, { path: name })
  for (const [at, option] of options.entries())
    for (const field of ['accuracy', 'trainingUsd', 'requestUsd'] as const)
      if (!(option[field] >= 0 && option[field] < Infinity) || (field === 'accuracy' && option.accuracy > 1))
        throw new InvalidRequest(
          `${field} is ${option[field]}; ${field === 'accuracy' ? 'a share from 0 to 1' : 'dollars of at least 0'} were expected.`,
          { path: `options[${at}].${field}` },
        )
  return options
    .map((option) => {
      const totalUsd = option.trainingUsd + requests * option.requestUsd
      return { ...option, totalUsd, utility: worth * option.accuracy * requests - totalUsd }
    })
    .sort((a, b) => Number(a.totalUsd > budget) - Number(b.totalUsd > budget) || b.utility - a.utility)
}
