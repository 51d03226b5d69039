import { z } from 'zod'
import { modelName } from './fields.js'

const dollars = () => z.number().nonnegative().max(1e9)

const judge = z.strictObject({
  model: modelName().describe(
    'Model that grades answers: a name of `models`, or `provider/model`. Its price must be known, or it is never asked.',
  ),
  share: z
    .number()
    .min(0)
    .max(1)
    .default(0.02)
    .describe('Share of the randomised requests whose answers it grades, after they have gone out; share.'),
  usd_per_day: dollars().default(1).describe('Most that its grading may cost in a day of UTC; dollars.'),
  people_share: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'Share of the graded answers for which a person is asked as well (`x-bursar-feedback: wanted`), so that the judge can be corrected by people; share.',
    ),
})

const shadow = z.strictObject({
  share: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('Share of the randomised requests that the reference arm answers too, in the background, for the judge to compare; share.'),
  usd_per_day: dollars()
    .default(1)
    .describe('Most that these answers may cost in a day of UTC; what comparing them costs is the judge’s; dollars.'),
})

/** `on` and `off`, which YAML 1.1 reads as true and false. */
const onOff = () => z.union([z.enum(['on', 'off']).transform((word) => word === 'on'), z.boolean()])

/** What is randomised, and what is done with it: see docs/proof.md. */
export const proofSchema = z.strictObject({
  holdout: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.05)
    .describe(
      'Share of routed requests that the reference arm answers, drawn at random, so that savings and quality can be proven; 0 turns the proof off; share.',
    ),
  margin: z
    .number()
    .positive()
    .max(1)
    .default(0.02)
    .describe('Quality that routing may lose against the reference at most: 0.02 is two points of a hundred; share.'),
  guardrail: onOff()
    .prefault('on')
    .describe(
      'Whether traffic goes back to the reference by itself once its quality is proven worse by more than `margin`: `on` or `off`.',
    ),
  judge: judge.optional().describe('A model that grades a sample of the answers. Without it quality comes from feedback and checks alone.'),
  shadow: shadow.optional().describe('A sample of requests is answered by the reference arm as well. Needs `judge`.'),
  state: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File that keeps what the guardrail has rolled back, from the folder of this file. `bursar.proof` beside the ledger when left out; nothing is kept with `ledger.store: memory`, unless it is set.',
    ),
})

export type ProofConfig = z.output<typeof proofSchema>
