import type { Usage } from '../../quantities/index.js'
import type { CostReport, StreamEncoder } from '../codec.js'
import type { Request } from '../conversation.js'
import type { Delta, TokenLogprob } from '../reply.js'
import { encodeLogprobs, finishName, nativeFields, reasoningField, showsReasoning, thought, usesFunctions } from './encode-reply.js'
import { sealDetail, signatureDetail } from './reasoning-details.js'
import { usageFields } from './usage-fields.js'

interface OpenChoice {
  /** Wire index of each call, by the part that it is. */
  readonly calls: Map<number, number>
  readonly argued: Set<number>
  details: number
}

/**
 * Writes the chunks of a streamed chat completion as OpenAI's clients expect them: the role first, then content, calls
 * (index, id and name, then arguments), the finish, usage with cost, and `[DONE]`.
 */
export class ChatStreamEncoder implements StreamEncoder {
  #head = ''
  #tier: string | undefined
  readonly #choices = new Map<number, OpenChoice>()
  readonly #reasoningField: string
  readonly #showsReasoning: boolean
  readonly #functions: boolean

  constructor(
    private readonly request: Request,
    private readonly id: string,
  ) {
    this.#reasoningField = reasoningField(request)
    this.#showsReasoning = showsReasoning(request)
    this.#functions = usesFunctions(request)
  }

  push(delta: Delta): string {
    switch (delta.type) {
      case 'start':
        return this.#start(delta.id, delta.model, delta.created) + this.#role(0)
      case 'usage':
        this.#tier = delta.reported.serviceTier ?? this.#tier
        return ''
      case 'wire':
        return Buffer.from(delta.bytes.buffer, delta.bytes.byteOffset, delta.bytes.byteLength).toString('utf8')
      case 'text':
        return this.#role(delta.choice) + this.#chunk(delta.choice, `{"content":${JSON.stringify(delta.text)}}`, null, delta.logprobs)
      case 'refusal':
        return this.#role(delta.choice) + this.#chunk(delta.choice, `{"refusal":${JSON.stringify(delta.text)}}`)
      case 'reasoning':
        return this.#showsReasoning && delta.text !== '' ? this.#reasoning(delta) : ''
      case 'reasoning_signature':
        return this.#signature(delta)
      case 'tool_call':
        return this.#toolCall(delta)
      case 'tool_arguments':
        return delta.json === '' ? '' : this.#arguments(delta.choice, delta.part, delta.json)
      case 'native':
        return this.#native(delta)
      case 'finish': {
        const role = this.#role(delta.choice)
        return role + this.#emptyArguments(delta.choice) + this.#chunk(delta.choice, '{}', finishName(delta.reason, this.request))
      }
    }
  }

  end(context: { readonly usage: Usage; readonly cost: CostReport }): string {
    const start = this.#head === '' ? this.#start('', '', 0) : ''
    // A client that never asked for usage may look at choices[0] of every chunk without a question.
    const choices = this.request.streamUsage ? '[]' : '[{"index":0,"delta":{},"finish_reason":null}]'
    const tier = this.#tier === undefined ? '' : `,"service_tier":${JSON.stringify(this.#tier)}`
    const usage = JSON.stringify(usageFields(context.usage, context.cost))
    return `${start}${this.#head}"choices":${choices},"usage":${usage}${tier}}\n\ndata: [DONE]\n\n`
  }

  /** Everything up to the choices is the same in every chunk. */
  #start(id: string, model: string, created: number): string {
    const head = {
      id: id === '' ? this.id : id,
      object: 'chat.completion.chunk',
      created,
      model: model === '' ? this.request.model : model,
    }
    this.#head = `data: ${JSON.stringify(head).slice(0, -1)},`
    return ''
  }

  #chunk(choice: number, delta: string, finish: string | null = null, logprobs?: readonly TokenLogprob[]): string {
    const odds = logprobs ? `,"logprobs":${JSON.stringify(encodeLogprobs(logprobs))}` : ''
    return `${this.#head}"choices":[{"index":${choice},"delta":${delta}${odds},"finish_reason":${finish === null ? 'null' : `"${finish}"`}}]}\n\n`
  }

  /** The first chunk of a choice, before anything else is said in it. */
  #role(choice: number): string {
    if (this.#choices.has(choice)) return ''
    if (this.#head === '') this.#start('', '', 0)
    this.#choices.set(choice, { calls: new Map(), argued: new Set(), details: 0 })
    return this.#chunk(choice, '{"role":"assistant","content":""}')
  }

  #choice(choice: number): OpenChoice {
    const open = this.#choices.get(choice)
    if (!open) throw new RangeError(`choice ${choice} has not begun`)
    return open
  }

  /**
   * The text twice, as OpenRouter sends it: to be shown, and as a detail that a client sends back unchanged. A seal that may
   * follow belongs to exactly this text.
   */
  #reasoning(delta: Extract<Delta, { type: 'reasoning' }>): string {
    const role = this.#role(delta.choice)
    const open = this.#choice(delta.choice)
    const text = JSON.stringify(delta.text)
    const detail = `{"type":"reasoning.text","text":${text},"index":${open.details}}`
    return role + this.#chunk(delta.choice, `{"${this.#reasoningField}":${text},"reasoning_details":[${detail}]}`)
  }

  #signature(delta: Extract<Delta, { type: 'reasoning_signature' }>): string {
    if (!this.#showsReasoning) return ''
    const role = this.#role(delta.choice)
    const open = this.#choice(delta.choice)
    const beside = delta.redacted !== true && (delta.signatureFormat === 'anthropic-messages' || delta.signatureFormat === 'openai-chat')
    const detail = beside
      ? signatureDetail(delta.signature, delta.signatureFormat, delta.id, open.details)
      : sealDetail(delta.signature, delta.signatureFormat, delta.id, open.details)
    open.details++
    return role + this.#chunk(delta.choice, JSON.stringify({ reasoning_details: [detail] }))
  }

  #toolCall(delta: Extract<Delta, { type: 'tool_call' }>): string {
    const role = this.#role(delta.choice)
    const open = this.#choice(delta.choice)
    const index = open.calls.size
    open.calls.set(delta.part, index)
    const definition = { name: delta.name, arguments: '' }
    // The older style has room for one call.
    if (this.#functions) return index > 0 ? role : role + this.#chunk(delta.choice, JSON.stringify({ function_call: definition }))
    const call = { index, id: delta.id, type: 'function', function: definition, ...thought(delta.signature) }
    return role + this.#chunk(delta.choice, JSON.stringify({ tool_calls: [call] }))
  }

  #arguments(choice: number, part: number, json: string): string {
    const open = this.#choices.get(choice)
    const index = open?.calls.get(part)
    if (!open || index === undefined) return ''
    open.argued.add(part)
    const text = JSON.stringify(json)
    if (this.#functions) return index > 0 ? '' : this.#chunk(choice, `{"function_call":{"arguments":${text}}}`)
    return this.#chunk(choice, `{"tool_calls":[{"index":${index},"function":{"arguments":${text}}}]}`)
  }

  /** Clients parse the arguments without looking: a call that got none gets an empty object. */
  #emptyArguments(choice: number): string {
    const open = this.#choice(choice)
    let text = ''
    for (const part of open.calls.keys()) if (!open.argued.has(part)) text += this.#arguments(choice, part, '{}')
    return text
  }

  #native(delta: Extract<Delta, { type: 'native' }>): string {
    if (delta.format !== 'openai-chat') return ''
    const role = this.#role(delta.choice)
    const type = delta.value['type']
    if (type === 'custom') {
      const open = this.#choice(delta.choice)
      const index = open.calls.size
      open.calls.set(delta.part, index)
      open.argued.add(delta.part)
      return role + this.#chunk(delta.choice, JSON.stringify({ tool_calls: [{ ...delta.value, index }] }))
    }
    const fields = type === 'image_url' ? { images: [delta.value] } : nativeFields(delta.value)
    return Object.keys(fields).length === 0 ? role : role + this.#chunk(delta.choice, JSON.stringify(fields))
  }
}
