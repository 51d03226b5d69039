import { InvalidRequest } from '../../errors/index.js'

/** Prompt styles (paper 032); the search styles (tree, algorithm) are prompts of a single call here, not searches of many. */
export const styleIds = ['direct', 'concise', 'chain_of_thought', 'chain_of_draft', 'sketch', 'tree', 'algorithm'] as const
export type StyleId = (typeof styleIds)[number]

/** How a model is told to work. */
export interface Style {
  readonly id: StyleId
  /** What the model is told: 10 to 60 tokens. */
  readonly text: string
  /** Sequences that nothing worth paying for follows. Given to the provider where the caller set no stop sequences of its own. */
  readonly stopHints: readonly string[]
  /**
   * Output tokens relative to what the model writes untold, before any answer in the style was seen. A first guess from the sizes that
   * paper 032 reports, rounded; `styleRatio` learns the real one.
   */
  readonly outputRatio: number
}

const answerLine = 'End with one line "The answer is …".'

/** By id. Texts are our own. Answers in any of them are read by the same rules: each that reasons ends with the same line. */
export const styleLibrary: Readonly<Record<StyleId, Style>> = {
  direct: {
    id: 'direct',
    text: 'Give the answer only: no explanation, no repetition of the question.',
    stopHints: ['\n\n'],
    outputRatio: 0.1,
  },
  concise: {
    id: 'concise',
    text: `Be brief: only steps that change the result, no restating, no checking twice. ${answerLine}`,
    stopHints: [],
    outputRatio: 0.65,
  },
  chain_of_thought: { id: 'chain_of_thought', text: `Work through it step by step. ${answerLine}`, stopHints: [], outputRatio: 1.2 },
  chain_of_draft: {
    id: 'chain_of_draft',
    text: `Work in a draft: one line a step, at most five words each, symbols and numbers rather than sentences. ${answerLine}`,
    stopHints: [],
    outputRatio: 0.3,
  },
  sketch: {
    id: 'sketch',
    text: `First sketch the reasoning as a chain of key notions joined by arrows, without sentences; then conclude. ${answerLine}`,
    stopHints: [],
    outputRatio: 0.35,
  },
  tree: {
    id: 'tree',
    text: `Set out two or three different beginnings in a line each, say which is the most promising and why the others fail, and follow that one. ${answerLine}`,
    stopHints: [],
    outputRatio: 1.6,
  },
  algorithm: {
    id: 'algorithm',
    text: `Search in order: try a candidate, note in a few words whether it works, go back when it fails, and stop at the first that works. ${answerLine}`,
    stopHints: [],
    outputRatio: 1.5,
  },
}

/** Throws `InvalidRequest` with the given path for a name that no style has. */
export function styleOf(id: string, path = 'style'): Style {
  const known = styleIds.find((one) => one === id)
  if (known === undefined) throw new InvalidRequest(`There is no style "${id}". Styles are ${styleIds.join(', ')}.`, { path })
  return styleLibrary[known]
}
