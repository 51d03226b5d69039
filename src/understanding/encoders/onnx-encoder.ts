import { basename, resolve } from 'node:path'
import { InvalidRequest } from '../../errors/index.js'
import type { Encoder } from '../features.js'
import { onnxSettingsSchema } from './onnx-model.js'
import { besides, threadedEncoder, type ThreadedEncoderOptions } from './threaded-encoder.js'

export interface OnnxEncoderOptions extends ThreadedEncoderOptions {
  /** The model's ONNX file, with BERT's inputs (`input_ids`, `attention_mask`, `token_type_ids`, those that it has). */
  readonly file: string
  /** Its `vocab.txt`. */
  readonly vocabulary: string
  readonly dimensions: number
  /** `mean` of a text's tokens when absent; `first` takes the first token's, as some models are trained. */
  readonly pooling?: 'mean' | 'first' | undefined
  /** True when absent, for "uncased" models. */
  readonly lowerCase?: boolean | undefined
  /** Most tokens of a text: 256 when absent. */
  readonly maxTokens?: number | undefined
  /** The file's name when absent. */
  readonly id?: string | undefined
}

/**
 * An encoder over a user's own ONNX file, on the optional package `onnxruntime-node`, in a thread of its own. Files and package are looked for by the first
 * text; what is missing rejects it with `invalid_configuration`, saying what to do. Throws `InvalidRequest` for options that can't be used.
 */
export function onnxEncoder({
  file,
  vocabulary,
  dimensions,
  pooling = 'mean',
  lowerCase = true,
  maxTokens = 256,
  id = `onnx:${basename(file)}`,
  ...options
}: OnnxEncoderOptions): Encoder {
  const settings = onnxSettingsSchema.safeParse({
    file: resolve(file),
    vocabulary: resolve(vocabulary),
    dimensions,
    pooling,
    lowerCase,
    maxTokens,
  })
  if (!settings.success) {
    const issue = settings.error.issues[0]
    throw new InvalidRequest(`The ONNX encoder's ${issue?.path.join('.') ?? 'options'}: ${issue?.message ?? 'can’t be used'}.`, {
      path: issue?.path.join('.'),
    })
  }
  // A token covers at least a character or so: what comes after is cut anyway.
  return threadedEncoder({ id, dimensions, longestText: 16 * maxTokens, module: besides('onnx-model'), settings: settings.data }, options)
}
