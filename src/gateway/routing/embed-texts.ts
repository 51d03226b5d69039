import { BursarError } from '../../errors/index.js'
import type { Key } from '../keys.js'
import { openOwnEnvironment, type CallingState, type OwnEnvironment } from '../own-environment.js'
import type { EmbedTexts } from './open-routing.js'

/** In whose name Bursar's own calls are recorded. */
export const ownKey: Key = {
  id: 'bursar',
  name: 'bursar',
  source: 'none',
  modelLists: [],
  levels: [{ kind: 'key', id: 'bursar', name: 'bursar', rules: [] }],
  endUsers: [],
  runRules: [],
  requestRules: [],
}

/** Opens an environment for calls that are recorded under the key `bursar`. */
export type OwnCalls = (model: string, signal: AbortSignal) => OwnEnvironment

/** Opens them in the configuration of the moment. */
export function ownCalls(current: () => CallingState): OwnCalls {
  return (model, signal) => openOwnEnvironment(current(), ownKey, { key: ownKey.name }, model, signal)
}

/** Vectors of texts from an embedding model of the configuration. */
export function embedTexts(open: OwnCalls): EmbedTexts {
  return async (model, texts, signal) => {
    const { env, end } = open(model, signal)
    try {
      const { answer } = await env.embed(model, { model, inputs: texts, encoding: 'float', extra: [] })
      if (answer.kind !== 'wire') throw unreadable(model)
      return vectorsOf(JSON.parse(Buffer.from(answer.bytes).toString('utf8')) as unknown, model)
    } finally {
      end()
    }
  }
}

/** The vectors of an answer in OpenAI's form, in the order of the texts. */
function vectorsOf(json: unknown, model: string): readonly (readonly number[])[] {
  if (typeof json !== 'object' || json === null || !('data' in json) || !Array.isArray(json.data)) throw unreadable(model)
  const found: (readonly number[])[] = []
  for (const [place, item] of (json.data as readonly unknown[]).entries()) {
    if (typeof item !== 'object' || item === null || !('embedding' in item) || !isVector(item.embedding)) throw unreadable(model)
    const index = 'index' in item && typeof item.index === 'number' ? item.index : place
    if (!Number.isSafeInteger(index) || index < 0 || index >= json.data.length) throw unreadable(model)
    found[index] = item.embedding
  }
  return found
}

function isVector(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'number')
}

function unreadable(model: string): BursarError {
  return new BursarError(`The embedding model ${model} gave no vectors that can be read.`, { code: 'upstream_malformed', status: 502 })
}
