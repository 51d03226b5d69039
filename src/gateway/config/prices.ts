import { z } from 'zod'

const perMillion = (what: string) => z.number().nonnegative().max(1e6).optional().describe(`${what}; dollars a million tokens.`)

const rateFields = {
  input: perMillion('Fresh input'),
  output: perMillion('Output'),
  cache_read: perMillion("Input read from the provider's prompt cache"),
  cache_write_5m: perMillion("Input written to the provider's prompt cache for five minutes (or an unstated time)"),
  cache_write_1h: perMillion("Input written to the provider's prompt cache for an hour"),
  reasoning: perMillion('Reasoning, where it costs other than `output`'),
  input_audio: perMillion('Sound in'),
  cache_read_audio: perMillion('Sound read from the prompt cache'),
  output_audio: perMillion('Sound out'),
  input_image: perMillion('Images in, where they cost other than `input`'),
  output_image: perMillion('Images out'),
  input_video: perMillion('Video in, where it costs other than `input`'),
}

/** Prices of one model. A rate that is not given is unknown, never zero. */
export const pricesSchema = z
  .strictObject({
    ...rateFields,
    web_search: z.number().nonnegative().max(1e6).optional().describe('One search on the web by the provider; dollars.'),
    call: z.number().nonnegative().max(1e6).optional().describe('One call, whatever its size; dollars.'),
    tiers: z
      .array(
        z.strictObject({
          above_input_tokens: z
            .int()
            .positive()
            .describe('The tier holds for calls with more input tokens than this, for all their tokens; tokens.'),
          ...rateFields,
        }),
      )
      .optional()
      .describe('Other rates for calls with a long input.'),
    service_tiers: z
      .record(z.string().min(1), z.number().nonnegative())
      .optional()
      .describe(
        'What all rates are multiplied by at a service tier, such as `{ flex: 0.5, priority: 2 }`. A tier that is not named has no known price.',
      ),
  })
  .superRefine(({ tiers, ...base }, context) => {
    for (const [index, tier] of (tiers ?? []).entries())
      for (const rate of Object.keys(rateFields) as (keyof typeof rateFields)[])
        if (tier[rate] !== undefined && base[rate] === undefined)
          context.addIssue({
            code: 'custom',
            path: ['tiers', index, rate],
            message: `\`${rate}\` is given for large calls only; give it beside \`tiers\` too`,
          })
  })
  .meta({ title: 'Prices' })

export type Prices = z.output<typeof pricesSchema>
