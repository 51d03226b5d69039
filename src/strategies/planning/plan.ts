import { z } from 'zod'
import { jsonIn } from '../calls.js'
import type { Level } from './allocation.js'

/** Parts of a question, with how hard it is and how much of the work each part is. */
export interface Plan {
  readonly level: Level
  readonly steps: readonly PlanStep[]
}

export interface PlanStep {
  readonly ask: string
  readonly hint?: string | undefined
  /** Share of the work, in any unit. */
  readonly credits: number
}

/** Tokens that a planner may write: five parts with hints. */
export const PLANNER_TOKENS = 600

/** What the planner is told after the question: the paper's three calls (level, parts, credits) in one. */
export const planPrompt = `Don't answer this yet. Plan the work for a colleague who will.
1. Say how hard it is, from 1 (anyone knows it at once) to 5 (experts must think long).
2. Split it into 2 to 5 smaller questions, in the order in which they are to be answered, as few as it takes. Give each a short hint on how to go about it, without solving it.
3. Share out 100 credits among them by how much thought each needs.
Reply with JSON only, in this form:
{"level": 3, "steps": [{"ask": "…", "hint": "…", "credits": 60}, {"ask": "…", "hint": "…", "credits": 40}]}`

const line = z
  .string()
  .transform((text) => text.replace(/\s+/g, ' ').trim().slice(0, 400))
  .pipe(z.string().min(1))

const planForm = z.object({
  level: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(5)]),
  steps: z
    .array(z.object({ ask: line, hint: line.optional().catch(undefined), credits: z.number().nonnegative().max(1e6) }))
    .min(1)
    .max(5)
    .refine((steps) => steps.some(({ credits }) => credits > 0)),
})

/** A planner's plan; `null` for anything that isn't one: the question is then answered without. Bounded by the text's first 100,000 characters. */
export function readPlan(text: string): Plan | null {
  const read = planForm.safeParse(jsonIn(text))
  return read.success ? read.data : null
}

/** The variants of the paper beside the plain question: whether there is a plan, and how many words are allowed where. */
export const planVariants = ['global', 'planned', 'planned_global', 'planned_uniform', 'planned_weighted'] as const
export type PlanVariant = (typeof planVariants)[number]

/** What the solver is told of one budget for the whole answer. */
export function globalPrompt(words: number): string {
  return `Think only as much as you need. Use up to ${words} words in all, then give the answer.`
}

/** What the solver is told of a plan: with words for each part, for the whole, or none. */
export function solvePrompt(plan: Plan, allocation: readonly number[] | null, whole: number | null): string {
  const parts = plan.steps.map(({ ask, hint }, index) => {
    const words = allocation?.[index]
    return `${index + 1}. ${ask}${hint === undefined ? '' : ` (Hint: ${hint})`}${words === undefined ? '' : ` Think only a little; use up to ${Math.max(1, words)} words.`}`
  })
  return `It may help to take it in these parts (difficulty ${plan.level} of 5):
${parts.join('\n')}
Use another way where it is better.${whole === null ? '' : ` Use up to ${whole} words in all.`} At the end give the answer to the question itself.`
}
