import type { Behaviour } from './behaviour.js'

/** An embeddings answer as OpenAI writes it: one vector an input, of the encoding that was asked for. */
export function embeddingsReply(
  options: {
    readonly inputs?: number
    readonly dimensions?: number
    readonly base64?: boolean
    readonly tokens?: number
    readonly model?: string
  } = {},
): Behaviour {
  const { inputs = 1, dimensions = 8, base64 = false, tokens = 5 * (options.inputs ?? 1), model = 'mock-embed' } = options
  return {
    body: {
      object: 'list',
      data: Array.from({ length: inputs }, (_, index) => ({
        object: 'embedding',
        index,
        embedding: encoded(vector(index, dimensions), base64),
      })),
      model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    },
    bill: { input: tokens, output: 0 },
  }
}

/** A unit vector that depends on its index only. */
function vector(index: number, dimensions: number): readonly number[] {
  const raw = Array.from({ length: dimensions }, (_, at) => Math.cos((index + 1) * (at + 1)))
  const norm = Math.hypot(...raw)
  return raw.map((value) => Math.fround(value / norm))
}

function encoded(values: readonly number[], base64: boolean): readonly number[] | string {
  return base64 ? Buffer.from(Float32Array.from(values).buffer).toString('base64') : values
}
