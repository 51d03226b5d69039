import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { ThreadModel } from './thread-messages.js'
import { createWordPiece } from './wordpiece.js'

/** A user's own sentence encoder as an ONNX file: BERT's inputs, hidden states out, pooled to one vector a text. */

export const onnxSettingsSchema = z.object({
  file: z.string().min(1),
  vocabulary: z.string().min(1),
  dimensions: z.int().min(1).max(16_384),
  pooling: z.enum(['mean', 'first']),
  lowerCase: z.boolean(),
  maxTokens: z.int().min(3).max(8192),
})
export type OnnxSettings = z.infer<typeof onnxSettingsSchema>

/** As much of onnxruntime-node as is used: it is optional, so its own types may not be there. */
interface Tensor {
  readonly data: ArrayLike<number>
  readonly dims: readonly number[]
}
interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, Tensor>>>
}
interface OnnxRuntime {
  readonly InferenceSession: { create(file: string, options: object): Promise<Session> }
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => unknown
}

const packageName = 'onnxruntime-node'

async function loadRuntime(): Promise<OnnxRuntime> {
  let loaded: unknown
  try {
    loaded = await import(packageName)
  } catch (thrown) {
    throw new Error(
      `the package ${packageName} is not installed. Run: npm install ${packageName} (where its download is not allowed: ONNXRUNTIME_NODE_INSTALL=skip npm install ${packageName})`,
      { cause: thrown },
    )
  }
  const found = isRuntime(loaded) ? loaded : isObject(loaded) && isRuntime(loaded['default']) ? loaded['default'] : undefined
  if (found === undefined) throw new Error(`the package ${packageName} has no InferenceSession: another version is needed`)
  return found
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isRuntime(value: unknown): value is OnnxRuntime {
  return isObject(value) && typeof value['InferenceSession'] === 'function' && typeof value['Tensor'] === 'function'
}

/** Throws where a file can't be read, the runtime is missing, or the model has an input that BERT has not. */
export async function openModel(given: unknown): Promise<ThreadModel> {
  const { file, vocabulary, dimensions, pooling, lowerCase, maxTokens } = onnxSettingsSchema.parse(given)
  const wordPiece = createWordPiece(readFileSync(vocabulary, 'utf8').split('\n'), { lowerCase, maxTokens })
  const runtime = await loadRuntime()
  const session = await runtime.InferenceSession.create(file, { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 })
  const strange = session.inputNames.filter((name) => !inputs.has(name))
  if (strange.length > 0) throw new Error(`the model has the inputs ${strange.join(', ')}; known are ${[...inputs].join(', ')}`)
  return {
    async encode(texts) {
      const encoded = texts.map((text) => wordPiece.encode(text))
      const length = Math.max(1, ...encoded.map((ids) => ids.length))
      const tensor = (value: (ids: readonly number[], at: number) => number) => {
        const data = new BigInt64Array(texts.length * length)
        encoded.forEach((ids, row) => {
          for (let at = 0; at < length; at++) data[row * length + at] = BigInt(value(ids, at))
        })
        return new runtime.Tensor('int64', data, [texts.length, length])
      }
      const feeds: Readonly<Record<string, () => unknown>> = {
        input_ids: () => tensor((ids, at) => ids[at] ?? wordPiece.padding),
        attention_mask: () => tensor((ids, at) => (at < ids.length ? 1 : 0)),
        token_type_ids: () => tensor(() => 0),
      }
      const out = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, feeds[name]?.()])))
      const result = out['last_hidden_state'] ?? out['sentence_embedding'] ?? out[session.outputNames[0] ?? '']
      if (result === undefined) throw new Error('the model gives no output')
      return pooled(
        result,
        encoded.map((ids) => ids.length),
        dimensions,
        pooling,
      )
    },
  }
}

const inputs: ReadonlySet<string> = new Set(['input_ids', 'attention_mask', 'token_type_ids'])

/**
 * One vector a text, of [texts, tokens, dimensions] (the mean over its own tokens, or the first one's) or of [texts, dimensions] as it is. Throws where
 * the shape is another.
 */
export function pooled(
  { data, dims }: Tensor,
  lengths: readonly number[],
  dimensions: number,
  pooling: OnnxSettings['pooling'],
): readonly Float32Array[] {
  const [texts, second = 0, third] = dims
  const tokens = third === undefined ? 1 : second
  if (texts !== lengths.length || (third ?? second) !== dimensions || dims.length > 3)
    throw new Error(`the model gives [${dims.join(', ')}], not ${lengths.length} texts of ${dimensions} dimensions`)
  return lengths.map((length, text) => {
    const used = third === undefined || pooling === 'first' ? 1 : Math.min(length, tokens)
    const vector = new Float32Array(dimensions)
    for (let token = 0; token < used; token++) {
      const begin = (text * tokens + token) * dimensions
      for (let at = 0; at < dimensions; at++) vector[at] = (vector[at] ?? 0) + (data[begin + at] ?? 0) / used
    }
    return vector
  })
}
