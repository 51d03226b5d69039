import { InvalidRequest } from '../../errors/index.js'
import { totalInputTokens, type Usage } from '../../quantities/index.js'
import type { CostReport } from '../codec.js'
import type { EmbeddingRequest, ExtraField, WireBody } from '../conversation.js'
import { costFields } from '../cost-fields.js'
import { arrayOf, numberOf, objectOf, stringOf } from '../json-value.js'
import { decodeError, malformed, upstreamError } from '../openai-chat/decode-reply.js'
import { encodeError } from '../openai-chat/encode-error.js'
import type { ReportedUsage } from '../reply.js'
import { invalidField } from '../schema-issues.js'
import { reportedIn } from '../tap-cost.js'
import { embeddingFields, embeddingsRequestSchema, type EmbeddingsRequestBody } from './schema.js'

export { embeddingsRequestSchema } from './schema.js'

/** Vectors in canonical form, one for each input, in the order of the inputs. */
export interface EmbeddingReply {
  /** The model name the provider says answered. */
  readonly model: string
  readonly vectors: readonly (readonly number[])[]
  /** `undefined` when the provider reported none. */
  readonly reported: ReportedUsage | undefined
}

/** Both sides of a format of embeddings. */
export interface EmbeddingsCodec {
  readonly format: 'openai-embeddings'
  /** Validates and translates. Throws `InvalidRequest` with the field's path. */
  decodeRequest(json: Readonly<Record<string, unknown>>, wire?: WireBody): EmbeddingRequest
  encodeRequest(request: EmbeddingRequest, model: string): Record<string, unknown>
  /** Throws `BursarError` `upstream_malformed`, or `upstream_error` where an error came with status 200. */
  decodeReply(json: unknown): EmbeddingReply
  encodeReply(
    reply: EmbeddingReply,
    context: { readonly request: EmbeddingRequest; readonly usage: Usage; readonly cost: CostReport },
  ): Record<string, unknown>
  encodeError: typeof encodeError
  decodeError: typeof decodeError
}

/** OpenAI's embeddings, which every provider that has embeddings offers. */
export const openaiEmbeddings: EmbeddingsCodec = {
  format: 'openai-embeddings',
  decodeRequest,
  encodeRequest,
  decodeReply,
  encodeReply,
  encodeError,
  decodeError,
}

function decodeRequest(json: Readonly<Record<string, unknown>>, wire?: WireBody): EmbeddingRequest {
  const parsed = embeddingsRequestSchema.safeParse(json)
  if (!parsed.success) {
    if (json['model'] !== undefined && parsed.error.issues[0]?.path[0] === 'input') throw invalidInput(json['input'])
    throw invalidField(parsed.error, json)
  }
  const body = parsed.data
  const extra: ExtraField[] = []
  for (const name of Object.keys(json)) {
    const value = json[name]
    if (!embeddingFields.has(name) && value !== null) extra.push({ format: 'openai-embeddings', name, path: name, value })
  }
  return {
    model: body.model,
    inputs: inputsOf(body.input),
    encoding: body.encoding_format ?? 'float',
    extra,
    ...(body.dimensions == null ? undefined : { dimensions: body.dimensions }),
    ...(body.user == null ? undefined : { user: body.user }),
    ...(wire ? { wire } : undefined),
  }
}

function inputsOf(input: EmbeddingsRequestBody['input']): EmbeddingRequest['inputs'] {
  if (typeof input === 'string') {
    if (input === '') throw empty('input')
    return [input]
  }
  if (input.length === 0) throw empty('input')
  if (isTokens(input)) return [input]
  input.forEach((item, index) => {
    if (item.length === 0) throw empty(`input[${index}]`)
  })
  return input
}

function isTokens(input: Exclude<EmbeddingsRequestBody['input'], string>): input is number[] {
  return typeof input[0] === 'number'
}

function empty(path: string): InvalidRequest {
  return new InvalidRequest(`${path}: this must not be empty.`, { path })
}

/** All four forms fail together; the caller hears which entry doesn't go with the first. */
function invalidInput(input: unknown): InvalidRequest {
  const forms = 'a text, an array of texts, an array of token ids, or an array of arrays of token ids'
  if (!Array.isArray(input))
    return new InvalidRequest(`input: ${input === undefined ? 'this field is required' : 'this can not be embedded'}. Expected ${forms}.`, {
      path: 'input',
    })
  const kind = kindOf(input[0])
  const odd = input.findIndex((item) => kindOf(item) === 'other' || kindOf(item) !== kind)
  const path = odd === -1 ? 'input' : `input[${odd}]`
  return new InvalidRequest(
    `${path}: ${odd > 0 && kindOf(input[odd]) !== 'other' ? 'texts and token ids can not be mixed' : 'this can not be embedded'}. Expected ${forms}.`,
    { path },
  )
}

function kindOf(item: unknown): 'text' | 'token' | 'tokens' | 'other' {
  const isToken = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  if (typeof item === 'string') return 'text'
  if (isToken(item)) return 'token'
  return Array.isArray(item) && item.every(isToken) ? 'tokens' : 'other'
}

function encodeRequest(request: EmbeddingRequest, model: string): Record<string, unknown> {
  const body: Record<string, unknown> = {
    model,
    input: request.inputs.length === 1 ? request.inputs[0] : request.inputs,
    encoding_format: request.encoding,
    ...(request.dimensions === undefined ? undefined : { dimensions: request.dimensions }),
    ...(request.user === undefined ? undefined : { user: request.user }),
  }
  for (const { name, value } of request.extra)
    Object.defineProperty(body, name, { value, enumerable: true, writable: true, configurable: true })
  return body
}

function decodeReply(json: unknown): EmbeddingReply {
  const body = objectOf(json)
  if (body?.['error'] != null && body['data'] === undefined) throw upstreamError(body)
  if (!body || !Array.isArray(body['data'])) throw malformed('there is no `data`')
  const vectors: number[][] = []
  for (const [position, value] of arrayOf(body['data']).entries()) {
    const entry = objectOf(value)
    const index = numberOf(entry?.['index']) ?? position
    if (!Number.isInteger(index) || index < 0 || index >= body['data'].length || vectors[index])
      throw malformed('its entries are not numbered 0 to n - 1')
    vectors[index] = readVector(entry?.['embedding'])
  }
  return { model: stringOf(body['model']) ?? '', vectors, reported: reportedIn('openai-embeddings', body['usage'], body['service_tier']) }
}

function readVector(value: unknown): number[] {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'base64')
    if (bytes.length % 4 !== 0) throw malformed('a base64 vector is no whole number of floats')
    return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
  }
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'number'))
    throw malformed('an embedding is neither numbers nor base64')
  return value
}

function encodeReply(
  reply: EmbeddingReply,
  context: { readonly request: EmbeddingRequest; readonly usage: Usage; readonly cost: CostReport },
): Record<string, unknown> {
  const tokens = totalInputTokens(context.usage)
  return {
    object: 'list',
    data: reply.vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: context.request.encoding === 'base64' ? base64(vector) : vector,
    })),
    model: reply.model === '' ? context.request.model : reply.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens, ...costFields(context.cost) },
  }
}

function base64(vector: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(vector.length * 4)
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4))
  return bytes.toString('base64')
}
