import { randomUUID } from 'node:crypto'
import { Cancellation, LiveEnvironment, type LiveWorld } from '../../environment/index.js'
import { BursarError, toBursarError } from '../../errors/index.js'
import type { CallBudget } from '../../ledger/index.js'
import type { Key } from '../keys.js'
import type { Uses } from '../uses.js'
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

/** What of the gateway's state its own calls need. */
interface CallingState {
  readonly world: LiveWorld
  readonly uses: Uses
  readonly dropUnsupported: boolean | readonly string[]
  budgetFor(
    key: Key,
    labels: Readonly<Record<string, never>>,
    exchange: { readonly requestId: string; readonly cancellation: Cancellation },
  ): CallBudget
}

/** An environment for calls of Bursar's own: like any other, recorded under the key `bursar`. `end` is to be called when they are over. */
export type OwnCalls = (model: string, signal: AbortSignal) => { readonly env: LiveEnvironment; end(): void }

/** Opens them in the configuration of the moment. */
export function ownCalls(current: () => CallingState): OwnCalls {
  return (model, signal) => {
    const state = current()
    const cancellation = new Cancellation()
    const leave = () => cancellation.cancel(toBursarError(signal.reason))
    signal.addEventListener('abort', leave, { once: true })
    const id = randomUUID()
    const requestId = `req_${id}`
    state.uses.begin()
    const end = () => {
      signal.removeEventListener('abort', leave)
      state.uses.end()
    }
    try {
      const env = new LiveEnvironment(state.world, {
        callIds: `call_${id}`,
        requestId,
        decisionId: `dec_${id}`,
        attribution: { key: ownKey.name },
        requestedModel: model,
        budget: state.budgetFor(ownKey, {}, { requestId, cancellation }),
        cancellation,
        headers: {},
        streamUsage: 'never',
        dropUnsupported: state.dropUnsupported,
      })
      return { env, end }
    } catch (thrown) {
      end()
      throw thrown
    }
  }
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
