import { z } from 'zod'
import { jsonIn } from '../calls.js'

/** A question taken apart into steps (SCALE, 046). */
export interface Outline {
  /** The conditions that the question gives, in brief. */
  readonly given: string
  readonly steps: readonly OutlineStep[]
}

export interface OutlineStep {
  readonly task: string
  /** How hard it is, in [0, 1]; `null` where the model gave none that can be used. */
  readonly difficulty: number | null
}

/** Tokens that one outline may take. */
export const OUTLINE_TOKENS = 700

/** Steps of an outline at the most; longer ones are not followed. */
export const MAX_STEPS = 8

export const outlinePrompt = `Don't solve this yet. Outline how to, for colleagues who each do one step.
Say in brief what is given, then the steps in order, at most ${MAX_STEPS} and as few as it takes. Each step builds on the results of those before and says exactly what to find. Give each a difficulty from 0 (trivial) to 1 (only an expert thinking long gets it right).
Reply with JSON only, in this form:
{"given": "…", "steps": [{"task": "…", "difficulty": 0.2}, {"task": "…", "difficulty": 0.7}]}`

const text = (most: number) =>
  z
    .string()
    .transform((said) => said.replace(/\s+/g, ' ').trim().slice(0, most))
    .pipe(z.string().min(1))

const outlineForm = z.object({
  given: text(1500).catch(''),
  steps: z
    .array(z.object({ task: text(600), difficulty: z.number().min(0).max(1).nullable().catch(null) }))
    .min(1)
    .max(MAX_STEPS),
})

/** An outline; `null` for anything that isn't one. Difficulties that can't be used are `null`. */
export function readOutline(said: string): Outline | null {
  const read = outlineForm.safeParse(jsonIn(said))
  return read.success ? read.data : null
}

/** The last step puts everything together: it is always taken for hard (046). */
const LAST_DIFFICULTY = 0.9

/** The difficulties by which steps get a model: the last is forced to 0.9; one that isn't known counts as hard. */
export function difficultiesOf({ steps }: Outline): readonly number[] {
  return steps.map(({ difficulty }, index) => (index === steps.length - 1 ? LAST_DIFFICULTY : (difficulty ?? LAST_DIFFICULTY)))
}

export function votePrompt(outlines: readonly Outline[]): string {
  const shown = outlines.map(
    ({ steps }, index) => `Outline ${index + 1}:\n${steps.map(({ task }, step) => `${step + 1}. ${task}`).join('\n')}`,
  )
  return `Here are ${outlines.length} outlines for solving this.\n\n${shown.join('\n\n')}\n\nWhich is the most coherent: complete, without circles, each step ready to be done? Reply with JSON only: {"best": 1}`
}

/** Index of the outline that was voted for; `null` where the vote can't be read. */
export function readVote(said: string, count: number): number | null {
  const read = z.object({ best: z.int().min(1).max(count) }).safeParse(jsonIn(said))
  return read.success ? read.data.best - 1 : null
}

/** A step that is done: what was to be found, and what was found. The way there is not passed on (046). */
export interface DoneStep {
  readonly task: string
  readonly answer: string
}

export function stepPrompt(outline: Outline, done: readonly DoneStep[], task: string): string {
  return `${progress(outline, done)}Do only the next step: ${task}
Nothing after it. End with one line that begins with "Result:" and says what this step found.`
}

export function lastPrompt(outline: Outline, done: readonly DoneStep[], task: string): string {
  return `${progress(outline, done)}Now do the last step: ${task}
Then answer the question itself, in the form it asks for.`
}

function progress({ given }: Outline, done: readonly DoneStep[]): string {
  const before = done.map(({ task, answer }, index) => `${index + 1}. ${task}\n   Result: ${answer}`).join('\n')
  return `${given === '' ? '' : `Given: ${given}\n`}${before === '' ? '' : `Done so far:\n${before}\n`}`
}

/** Characters of a step's result that later steps are told. */
const LONGEST_RESULT = 800

/** What a step found: its last line that begins with "Result:", else its end. `null` for a text that says nothing. */
export function resultOf(said: string): string | null {
  const seen = said.slice(-20_000).trim()
  if (seen === '') return null
  const at = seen.toLowerCase().lastIndexOf('result:')
  const result =
    at < 0
      ? ''
      : seen
          .slice(at + 'result:'.length)
          .replace(/^\**\s*/, '')
          .trim()
  return result === '' ? seen.slice(-LONGEST_RESULT) : result.slice(0, LONGEST_RESULT)
}
