import type { Decision } from '../../routing/index.js'
import type { Step } from '../../strategies/index.js'
import type { Features } from '../../understanding/index.js'
import type { SettledLesson } from '../learning/index.js'

/** A decision whose outcomes may still come. */
export interface RememberedDecision {
  readonly decision: Decision
  readonly features: Features
  /** Whose predictor learns from it. */
  readonly tenant: string
  readonly key: string
  /** Stands for the end user whose taste the feedback tells of. */
  readonly user?: string | undefined
  readonly run: string | undefined
  /** The arm that answered in the end; absent where the chosen one failed and another took over. */
  readonly answeredBy: string | undefined
  /** What a word on the answer can teach strategies. */
  readonly lessons?: readonly SettledLesson[] | undefined
  /** What the strategy did, without content. */
  readonly steps?: readonly Step[] | undefined
}

const MOST_DECISIONS = 20_000
const MOST_BYTES = 64 * 1024 * 1024
/** About what a step or a lesson takes. */
const BYTES_OF_STEP = 512
/** Decisions of one run that an outcome of the run is about: the latest. */
const MOST_OF_RUN = 100

/**
 * Decisions with the features they were made by, until their outcomes come: the newest 20,000, as far as they fit into 64 MiB. The text
 * that was asked about is in it, in memory only.
 */
export class DecisionMemory {
  private readonly decisions = new Map<string, { readonly remembered: RememberedDecision; readonly bytes: number }>()
  private readonly runs = new Map<string, string[]>()
  private bytes = 0

  get size(): number {
    return this.decisions.size
  }

  remember(decisionId: string, remembered: RememberedDecision): void {
    this.forget(decisionId)
    const bytes = bytesOf(remembered.features)
    this.decisions.set(decisionId, { remembered, bytes })
    this.bytes += bytes
    if (remembered.run !== undefined) {
      const name = runName(remembered.key, remembered.run)
      const ids = this.runs.get(name) ?? []
      ids.push(decisionId)
      if (ids.length > MOST_OF_RUN) ids.shift()
      this.runs.set(name, ids)
    }
    for (const oldest of this.decisions.keys()) {
      if (this.decisions.size <= MOST_DECISIONS && this.bytes <= MOST_BYTES) break
      this.forget(oldest)
    }
  }

  /** Who answered in the end, and how, is known later than the decision. */
  answered(decisionId: string, about: Pick<RememberedDecision, 'answeredBy' | 'lessons' | 'steps'>): void {
    const found = this.decisions.get(decisionId)
    if (!found) return
    const more = BYTES_OF_STEP * ((about.lessons?.length ?? 0) + (about.steps?.length ?? 0))
    this.decisions.set(decisionId, { remembered: { ...found.remembered, ...about }, bytes: found.bytes + more })
    this.bytes += more
  }

  get(decisionId: string): RememberedDecision | undefined {
    return this.decisions.get(decisionId)?.remembered
  }

  /** Decisions of a run of this key, the newest hundred. */
  ofRun(key: string, run: string): readonly RememberedDecision[] {
    return (this.runs.get(runName(key, run)) ?? []).flatMap((id) => this.get(id) ?? [])
  }

  private forget(decisionId: string): void {
    const found = this.decisions.get(decisionId)
    if (!found) return
    this.decisions.delete(decisionId)
    this.bytes -= found.bytes
    const { key, run } = found.remembered
    if (run === undefined) return
    const name = runName(key, run)
    const left = (this.runs.get(name) ?? []).filter((id) => id !== decisionId)
    if (left.length === 0) this.runs.delete(name)
    else this.runs.set(name, left)
  }
}

function runName(key: string, run: string): string {
  return `${key}\0${run}`
}

function bytesOf({ text, lexical, dense }: Features): number {
  return 1024 + 2 * text.length + lexical.indices.byteLength + lexical.weights.byteLength + (dense?.byteLength ?? 0)
}
