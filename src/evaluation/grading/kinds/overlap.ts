import { z } from 'zod'
import { bleu, rougeN, tokenF1 } from '../overlap.js'
import { noConfig, readConfig, scoreThreshold, textValues, type CheckKind, type Graded } from '../check-kind.js'

const rougeConfig = z.strictObject({ n: z.int().min(1).max(9).optional() })

function scored(name: string, score: number): Graded {
  return { score, reason: `${name} is ${score.toFixed(2)}.` }
}

/** Share of words and phrases that an answer has in common with a reference. Time grows with both lengths. */
export const overlapKinds: readonly CheckKind[] = [
  {
    kind: 'rouge-n',
    about:
      'ROUGE-N (F1) of the answer and `value` (a text, or a list of which the nearest counts) is at least `threshold`, 0.75 when absent. `config`: `n`, 1 when absent.',
    bind(declared, path) {
      const { n = 1 } = readConfig(rougeConfig, declared, path)
      const references = textValues(declared, path)
      return {
        threshold: scoreThreshold(declared, path, 0.75),
        grade: (answer) => scored(`ROUGE-${n}`, Math.max(...references.map((text) => rougeN(answer, text, n)))),
      }
    },
  },
  {
    kind: 'bleu',
    about: 'BLEU-4 of the answer and `value` (a text, or a list of references) is at least `threshold`, 0.5 when absent.',
    bind(declared, path) {
      readConfig(noConfig, declared, path)
      const references = textValues(declared, path)
      return { threshold: scoreThreshold(declared, path, 0.5), grade: (answer) => scored('BLEU', bleu(answer, references)) }
    },
  },
  {
    kind: 'f1',
    about:
      'F1 of the words of the answer and `value` (a text, or a list of which the nearest counts), as SQuAD counts it, is at least `threshold`, 0.5 when absent.',
    bind(declared, path) {
      readConfig(noConfig, declared, path)
      const references = textValues(declared, path)
      return {
        threshold: scoreThreshold(declared, path, 0.5),
        grade: (answer) => scored('F1', Math.max(...references.map((text) => tokenF1(answer, text)))),
      }
    },
  },
]
