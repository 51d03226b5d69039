import * as z from 'zod'

/** The request body of `/v1/embeddings`. Unknown fields are kept; a field that is `null` counts as absent. */
export const embeddingsRequestSchema = z
  .looseObject({
    model: z.string().min(1).describe('Name or alias of the model, such as `openai/text-embedding-3-small`.'),
    input: z
      .union([z.string(), z.array(z.string()), z.array(z.int().min(0)), z.array(z.array(z.int().min(0)))])
      .describe('A text, several texts, or the same as token ids.'),
    dimensions: z.int().min(1).nullish().describe('Length of the vectors, where the model lets one choose.'),
    encoding_format: z.enum(['float', 'base64']).nullish().describe('Vectors as numbers, or as base64 of little-endian 32-bit floats.'),
    user: z.string().nullish().describe('Your id of the end user.'),
  })
  .meta({ title: 'Embeddings request', description: 'Body of POST /v1/embeddings. Unknown fields go on to the provider.' })

export type EmbeddingsRequestBody = z.infer<typeof embeddingsRequestSchema>

export const embeddingFields: ReadonlySet<string> = new Set(['model', 'input', 'dimensions', 'encoding_format', 'user'])
