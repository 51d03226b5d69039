import { openaiChat } from '../../protocol/index.js'
import { unlimited } from '../../quantities/index.js'
import { explainDecision } from '../../routing/index.js'
import type { Key } from '../keys.js'
import type { Router } from './router.js'

/** A decision that nothing came of. */
export interface AskedDecision {
  readonly arm: string
  readonly model: string
  readonly reference: string
  readonly policy: string
  readonly reason: string
  readonly explanation: readonly string[]
  readonly category: string | null
  /** 0 to 1. */
  readonly difficulty: number | null
  readonly inputTokens: number | null
}

/** Who asks on the command line: whoever may read the configuration may use every model. */
const operator: Key = {
  id: 'operator',
  name: 'operator',
  source: 'none',
  modelLists: [],
  levels: [],
  endUsers: [],
  runRules: [],
  requestRules: [],
}

/** How a question would be decided, without calling anything. `headers` as a request has them. Throws as `Router.decide`. */
export async function decideOnly(
  router: Router,
  text: string,
  model: string,
  headers: Readonly<Record<string, string>>,
  columns: number,
): Promise<AskedDecision> {
  const request = openaiChat.decodeRequest({ model, messages: [{ role: 'user', content: text }] })
  // Nobody learns from a question that isn't put.
  const routed = await router.decide({
    request,
    headers: { ...headers, 'x-bursar-explore': 'off' },
    key: operator,
    labels: {},
    budget: unlimited,
    signal: new AbortController().signal,
  })
  const { decision, features, reference } = routed
  return {
    arm: decision.arm.id,
    model: decision.arm.model,
    reference: reference.id,
    policy: decision.policy,
    reason: decision.reason,
    explanation: explainDecision(decision, columns),
    category: features?.category?.name ?? null,
    difficulty: features?.difficulty.value ?? null,
    inputTokens: features?.traits.inputTokens ?? null,
  }
}
