import type { Interval } from '../../statistics/index.js'
import type { EvidenceKind } from './guardrail.js'
import { isUnknown, type QualityEstimate, type ScopeEstimate } from './scope-estimate.js'

type Band = Pick<Interval, 'value' | 'low' | 'high'>

/** How the estimates stood after a trial. */
export interface Moment {
  /** Unix seconds. */
  readonly at: number
  readonly requests: number
  /** Dollars saved so far on what the policy answered; absent where unknown. */
  readonly savedUsd: Band | undefined
  /** Quality by the kind of evidence that gives the verdict; absent where there was none yet. */
  readonly quality: Band | undefined
}

interface Looked extends Omit<Moment, 'quality'> {
  readonly quality: readonly QualityEstimate[]
}

const mostMoments = 64

/** How estimates went, at most 128 moments: whenever there are more, every other one goes, and looks come half as often. */
export class Timeline {
  private readonly looks: Looked[] = []
  private every = 1
  private since = 0
  private last: number | undefined

  constructor(
    private readonly scope: ScopeEstimate,
    private readonly margin: number,
  ) {}

  /** Told after each trial. */
  passed(at: number): void {
    this.last = at
    this.since += 1
    if (this.since < this.every) return
    this.since = 0
    this.looks.push(this.look(at))
    if (this.looks.length < 2 * mostMoments) return
    const kept = this.looks.filter((_, index) => index % 2 === 1)
    this.looks.splice(0, this.looks.length, ...kept)
    this.every *= 2
  }

  moments(kind: EvidenceKind | undefined): Moment[] {
    const looks = this.since > 0 && this.last !== undefined ? [...this.looks, this.look(this.last)] : this.looks
    return looks.map(({ at, requests, savedUsd, quality }) => ({
      at,
      requests,
      savedUsd,
      quality: quality.find((estimate) => estimate.kind === kind)?.difference,
    }))
  }

  private look(at: number): Looked {
    const saving = this.scope.saving('usd')
    return {
      at,
      requests: this.scope.requests,
      savedUsd: isUnknown(saving) ? undefined : saving.total,
      quality: this.scope.qualityEstimates(this.margin),
    }
  }
}
