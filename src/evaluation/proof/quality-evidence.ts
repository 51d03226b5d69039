import type { OutcomeRecord, TrialEvidence } from '../../ledger/index.js'
import type { EvidenceKind } from './guardrail.js'

const judgeSource = 'judge:'
/** Of grades that a judge gave who saw both answers. */
const pairSource = 'judge-pair:'

function isJudge(source: string): boolean {
  return source.startsWith(judgeSource) || source.startsWith(pairSource)
}

/** A word with the probability with which it was sought. */
export interface SoughtWord {
  readonly score: number
  readonly sought: number
}

/** What is known of the quality of a trial's answer, by whoever said it; of each the last word counts. */
export interface QualityEvidence {
  /** A sampled judge's grade of the answer that was given. */
  readonly judge?: SoughtWord | undefined
  /** What a person said who was asked because a judge had been. */
  readonly label?: SoughtWord | undefined
  /**
   * The judge's grades of the answer that was given and of the reference's answer to the same request: given less reference, in [-1,
   * 1].
   */
  readonly pair?: SoughtWord | undefined
  /** The mean of all verifiers' words: they look at every answer that they can check. */
  readonly check?: number | undefined
  /** What callers said of their own accord. */
  readonly feedback?: number | undefined
  /** Halves of pairs that nobody knows the probability of: of no use. */
  readonly unusable: number
}

/** The evidence in the outcomes of one trial. O(outcomes). */
export function qualityEvidence({ outcomes }: Pick<TrialEvidence, 'outcomes'>): QualityEvidence {
  let label: SoughtWord | undefined
  let feedback: number | undefined
  let unusable = 0
  const checks = new Map<string, number>()
  const given: OutcomeRecord[] = []
  const ofReference: OutcomeRecord[] = []
  for (const outcome of outcomes) {
    const { source, score, sought, arm } = outcome
    if (source.startsWith('verifier:')) {
      if (arm === undefined) checks.set(source, score)
    } else if (isJudge(source) && sought !== undefined) (arm === undefined ? given : ofReference).push(outcome)
    else if (source.startsWith(pairSource)) unusable += 1
    // A judge of the caller's own, too: nobody knows how it chose what to judge.
    else if (arm !== undefined) continue
    else if (sought === undefined) feedback = score
    else label = { score, sought }
  }
  const paired = pairOf(given, ofReference)
  const judge = given.findLast((outcome) => outcome !== paired?.given && !outcome.source.startsWith(pairSource))
  const words = [...checks.values()]
  return {
    ...(judge?.sought === undefined ? {} : { judge: { score: judge.score, sought: judge.sought } }),
    ...(label === undefined ? {} : { label }),
    ...(paired === undefined ? {} : { pair: paired.word }),
    ...(words.length === 0 ? {} : { check: words.reduce((sum, word) => sum + word, 0) / words.length }),
    ...(feedback === undefined ? {} : { feedback }),
    unusable,
  }
}

/**
 * The last word about the reference's answer, and the one about the given answer that belongs to it: of the same judge, sought in the
 * same draw.
 */
function pairOf(given: readonly OutcomeRecord[], ofReference: readonly OutcomeRecord[]) {
  const reference = ofReference.at(-1)
  if (reference?.sought === undefined) return undefined
  const { source, sought, score } = reference
  const own = given.findLast((outcome) => outcome.source === source && outcome.sought === sought)
  return own === undefined ? undefined : { given: own, word: { score: own.score - score, sought } }
}

/**
 * In which order kinds of evidence are believed: the first of which there is enough gives the verdict. Fixed, so that no result chooses
 * it.
 */
export function evidenceOrder(labels: number): readonly EvidenceKind[] {
  // With people's labels the judge's bias falls out; without, both answers to one request tell more than answers to different ones.
  return labels > 0 ? ['judge', 'pair', 'check', 'feedback'] : ['pair', 'judge', 'check', 'feedback']
}
