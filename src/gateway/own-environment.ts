import { randomUUID } from 'node:crypto'
import { Cancellation, LiveEnvironment, type CallScope, type LiveWorld } from '../environment/index.js'
import { toBursarError } from '../errors/index.js'
import type { CallBudget } from '../ledger/index.js'
import type { Key } from './keys.js'
import type { Uses } from './uses.js'

/** What of the gateway's state calls of Bursar's own need. */
export interface CallingState {
  readonly world: LiveWorld
  readonly uses: Uses
  readonly dropUnsupported: boolean | readonly string[]
  budgetFor(
    key: Key,
    labels: Readonly<Record<string, never>>,
    exchange: { readonly requestId: string; readonly cancellation: Cancellation },
  ): CallBudget
}

/** An environment for calls of Bursar's own, which keeps the state that it began with in use until `end` is called. */
export interface OwnEnvironment {
  readonly env: LiveEnvironment
  end(): void
}

/** Opens one: calls like any other, in the budgets of this key and recorded under this attribution. */
export function openOwnEnvironment(
  state: CallingState,
  key: Key,
  attribution: CallScope['attribution'],
  model: string,
  signal: AbortSignal,
): OwnEnvironment {
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
      attribution,
      requestedModel: model,
      budget: state.budgetFor(key, {}, { requestId, cancellation }),
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
