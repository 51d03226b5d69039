import { z } from 'zod'
import { auctionMemory, type AuctionMemory } from '../../routing/index.js'
import {
  AgreementCalibration,
  agreementScore,
  AnswerShapes,
  createEffortController,
  createThinkGate,
  loadEffortController,
  loadThinkGate,
  Saturation,
  saturationSource,
  StrategyLibrary,
  type EffortController,
  type ThinkGate,
} from '../../strategies/index.js'
import { SATURATION_PRIOR, type PoisonBound } from './poison-bound.js'
import type { SettledLesson, SettledPool } from './settled-lessons.js'

/** A word on an answer: how good it was, who says so, and how much that counts. */
export interface Word {
  /** In [0, 1]. */
  readonly score: number
  readonly weight: number
  readonly source: string
}

const base64 = z.base64()
const savedForm = z.object({
  calibration: z.unknown(),
  shapes: z.unknown(),
  saturation: z.unknown(),
  thinkGate: base64.nullable(),
  effort: base64,
  libraries: z.array(z.tuple([z.string().max(64), base64])).max(1000),
  auctions: base64,
})
export type SavedLearning = z.output<typeof savedForm>

/** Libraries of a tenant at most; a configuration has at most 100 arms. */
const MOST_LIBRARIES = 200
/** Weight of one over a propensity at the most. */
const MOST_WEIGHT = 10

/** What strategies of one tenant have learned: what agreement is worth, which answers are plausible, how far sampling carries, when to think, and which stored strategy does what. */
export class TenantLearning {
  readonly calibration: AgreementCalibration
  readonly shapes: AnswerShapes
  readonly saturation: Saturation
  readonly thinkGate: ThinkGate
  readonly effort: EffortController
  readonly auctions: AuctionMemory
  private readonly libraries: Map<string, StrategyLibrary>
  private thought: boolean

  /** Throws `BursarError` (`invalid_configuration`) for anything that `save` did not give. `effort`: lengths that were measured, which nobody's word can spoil. */
  constructor(saved?: SavedLearning, effort?: EffortController) {
    this.calibration = saved === undefined ? new AgreementCalibration() : AgreementCalibration.load(saved.calibration)
    this.shapes = saved === undefined ? new AnswerShapes() : AnswerShapes.load(saved.shapes)
    this.saturation = saved === undefined ? new Saturation(SATURATION_PRIOR) : Saturation.load(saved.saturation, SATURATION_PRIOR)
    this.thought = saved?.thinkGate != null
    this.thinkGate = saved?.thinkGate == null ? createThinkGate() : loadThinkGate(bytesOf(saved.thinkGate))
    this.effort = effort ?? (saved === undefined ? createEffortController() : loadEffortController(bytesOf(saved.effort)))
    this.auctions = saved === undefined ? auctionMemory() : auctionMemory({}, bytesOf(saved.auctions))
    this.libraries = new Map(saved?.libraries.map(([name, bytes]) => [name, StrategyLibrary.load(bytesOf(bytes))] as const))
    // What the configuration still has in it becomes a seed again where it is used.
    for (const library of this.libraries.values()) library.releaseSeeds()
  }

  /** Reads the form of what was saved; throws `ZodError` for anything else. */
  static read(value: unknown): SavedLearning {
    return savedForm.parse(value)
  }

  /** `content`: whether plans of auctions are in it, which are content; else only what they taught. */
  save(content = false): SavedLearning {
    return {
      calibration: this.calibration.save(),
      shapes: this.shapes.save(),
      saturation: this.saturation.save(),
      thinkGate: this.thought ? text(this.thinkGate.serialize()) : null,
      effort: text(this.effort.serialize()),
      libraries: [...this.libraries].map(([name, library]) => [name, text(library.serialize())]),
      auctions: text(this.auctions.serialize(content)),
    }
  }

  /** The library of a name, an empty one where there is none. */
  library(name: string): StrategyLibrary {
    let library = this.libraries.get(name)
    if (library === undefined) {
      const oldest = this.libraries.size >= MOST_LIBRARIES ? this.libraries.keys().next().value : undefined
      if (oldest !== undefined) this.libraries.delete(oldest)
      this.libraries.set(name, (library = new StrategyLibrary()))
    }
    return library
  }

  /** Learns from a word on an answer by what its strategy saw on the way, each belief as much as the source may have in it. */
  learn(lessons: readonly SettledLesson[], word: Word, bound: PoisonBound): void {
    for (const lesson of lessons) this.#learn(lesson, word, bound)
  }

  #learn(lesson: SettledLesson, word: Word, bound: PoisonBound): void {
    const { score, weight, source } = word
    switch (lesson.kind) {
      case 'pool':
        return this.#learnPool(lesson, word, bound)
      case 'thought': {
        const { features, mode, propensity, signals, outputTokens } = lesson
        const granted = bound.grant(source, 'thinking', [mode, `${mode}\0${features.category?.name ?? ''}`], weight)
        if (granted <= 0) return
        this.thought = true
        return this.thinkGate.observe({
          features,
          mode,
          quality: score,
          outputTokens,
          signals,
          weight: Math.min(MOST_WEIGHT, granted / propensity),
        })
      }
      case 'library': {
        const { library, cluster, hash } = lesson
        const granted = bound.grant(source, 'library', [`${library}\0${hash}`, `${library}\0${hash}\0${cluster}`], weight)
        if (granted > 0) this.library(library).record({ cluster, hash, quality: score, weight: granted })
        return
      }
      case 'auction':
        if (bound.grant(source, 'auction', [''], weight) >= weight) this.auctions.outcome(lesson.id, score >= 0.5)
    }
  }

  /**
   * Of a pool whose answer went out, its rightness is what was said. Of one with another answer it is known only where the one that went out was right: then it was wrong. So a rung that was
   * passed over is believed a little worse than it is, which errs to the side of asking further.
   */
  #learnPool(
    { arm, category, rounds, samples, agreeing, selected, shapes }: SettledPool,
    { score, weight, source }: Word,
    bound: PoisonBound,
  ): void {
    const cells = category === undefined ? ['', arm] : ['', arm, `${arm}\0${category}`]
    for (const { top, total, given } of rounds) {
      const counts = given ? weight : weight * score
      if (counts <= 0) continue
      const bin = Math.round(agreementScore({ top, total }) * 4)
      const granted = bound.grant(
        source,
        'calibration',
        cells.map((cell) => `${cell}\0${bin}`),
        counts,
      )
      if (granted > 0) this.calibration.learn({ arm, category }, { top, total }, given ? score : 0, granted)
    }
    for (const { shape, given } of shapes) {
      const counts = given ? weight : weight * score
      if (counts <= 0) continue
      const granted = bound.grant(source, 'shapes', [category ?? '', `${category ?? ''}\0${shape}`], counts)
      if (granted > 0) this.shapes.learnShape(shape, given ? score : 0, category, granted)
    }
    const from = saturationSource(arm, category)
    const granted = bound.grant(source, 'saturation', [from], weight)
    if (granted <= 0) return
    if (score > 0) this.saturation.learn(from, { successes: agreeing, trials: samples, weight: granted * score })
    // Samples that gave another answer than the wrong one may have been right.
    if (score < 1 && agreeing > 0) this.saturation.learn(from, { successes: 0, trials: agreeing, weight: granted * (1 - score) })
    if (selected) this.saturation.learnSelection(from, samples, score, granted)
    else if (score > 0) this.saturation.learnSelection(from, samples, 0, granted * score)
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function bytesOf(encoded: string): Uint8Array {
  return new Uint8Array(Buffer.from(encoded, 'base64'))
}
