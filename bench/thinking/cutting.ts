/** Cutting of recorded thoughts by the product's `cutThinking`: what it saves, and what it changes. */
import { recordedEnvironment, type OutcomeRow } from '../../src/environment/index.js'
import {
  answerKey,
  cutThinking,
  outcomeEfficiency,
  processEfficiency,
  splitRounds,
  textOf,
  type EnoughReason,
} from '../../src/strategies/index.js'
import type { SolvedQuestion } from '../data/solution-texts.js'

/** A text in which a question is thought about. */
export interface Trace {
  readonly question: string
  readonly text: string
  /** Whether a stated answer, as `answerKey` writes it, is right; `undefined` where nobody knows. */
  readonly judge: (key: string | null) => boolean | undefined
}

export interface CutResult {
  readonly traces: number
  readonly cut: number
  readonly reasons: Readonly<Partial<Record<EnoughReason, number>>>
  /** Share of the output that was not written. */
  readonly saved: number
  /** Whole and cut, where both answers can be judged. */
  readonly accuracy: { readonly whole: number; readonly cut: number; readonly judged: number }
  /** Cuts that made a right answer wrong, and the other way. */
  readonly harmful: number
  readonly helpful: number
  readonly outcomeEfficiency: number | null
  readonly processEfficiency: number | null
}

/** One trace for each solution as it is. */
export function singleTraces(questions: readonly SolvedQuestion[]): readonly Trace[] {
  return questions.flatMap(({ question, solutions }) =>
    solutions.map(({ text, right }) => ({ question, text, judge: judgeBy([{ text, right }]) })),
  )
}

/** Solutions of one question behind each other, as a model that checks itself again and again would write them (083). */
export function roundTraces(questions: readonly SolvedQuestion[], rounds: number): readonly Trace[] {
  return questions.flatMap(({ question, solutions }) =>
    Array.from({ length: Math.floor(solutions.length / rounds) }, (_, index): Trace => {
      const used = solutions.slice(index * rounds, (index + 1) * rounds)
      return { question, text: used.map(({ text }) => text).join('\n\nWait, let me check that again.\n\n'), judge: judgeBy(used) }
    }),
  )
}

/** By the recorded verdicts on the solutions that state an answer. */
function judgeBy(solutions: SolvedQuestion['solutions']): Trace['judge'] {
  const verdicts = new Map(solutions.map(({ text, right }) => [answerKey(text), right]))
  return (key) => verdicts.get(key)
}

export async function measureCutting(traces: readonly Trace[]): Promise<CutResult> {
  const reasons: Partial<Record<EnoughReason, number>> = {}
  let [cuts, wrote, whole, judged, rightWhole, rightCut, harmful, helpful] = [0, 0, 0, 0, 0, 0, 0, 0]
  const efficiency: { readonly rounds: ReturnType<typeof splitRounds>; readonly right: boolean; readonly target: string }[] = []
  for (const { question, text, judge } of traces) {
    const size = Math.max(1, text.length)
    const row: OutcomeRow = {
      id: 't',
      request: { messages: [{ role: 'user', content: question }] },
      outcomes: {
        m: {
          samples: [
            { answer: text, inputTokens: question.length, outputTokens: size },
            { answer: '', outputTokens: 0 },
          ],
        },
      },
    }
    const env = recordedEnvironment(row)
    let reason: EnoughReason | undefined
    const strategy = cutThinking({ model: 'm', audits: 0, onCut: (event) => (reason = event.reason) })
    const running = strategy.run(
      { model: 'm', messages: [{ role: 'user', parts: [{ type: 'text', text: question }] }], stream: true, paths: {}, extra: [] },
      env,
    )
    let said = ''
    for (;;) {
      const step = await running.next()
      if (!step.done) continue
      said = textOf(step.value.completion)
      break
    }
    if (reason !== undefined) {
      cuts++
      reasons[reason] = (reasons[reason] ?? 0) + 1
    }
    wrote += Math.min(size, env.spent().usage.outputTokens)
    whole += size
    const [keyWhole, keyCut] = [answerKey(text), answerKey(said)]
    const [rightBefore, rightAfter] = [judge(keyWhole), judge(keyCut)]
    if (rightBefore === undefined) continue
    judged++
    // An answer that no recorded solution gives has no verdict: it counts as wrong.
    rightWhole += Number(rightBefore)
    rightCut += Number(rightAfter ?? false)
    if (rightBefore && rightAfter !== true) harmful++
    if (!rightBefore && rightAfter === true) helpful++
    const rounds = splitRounds(text)
    if (rightBefore && keyWhole !== null) efficiency.push({ rounds, right: true, target: keyWhole })
    else efficiency.push({ rounds, right: false, target: '' })
  }
  return {
    traces: traces.length,
    cut: cuts,
    reasons,
    saved: 1 - wrote / Math.max(1, whole),
    accuracy: { whole: rightWhole / Math.max(1, judged), cut: rightCut / Math.max(1, judged), judged },
    harmful,
    helpful,
    outcomeEfficiency: outcomeEfficiency(efficiency),
    processEfficiency: processEfficiency(
      efficiency.map(({ rounds }) => rounds),
      ({ answer, start }) => answer ?? `unstated ${start}`,
    ),
  }
}
