import type { Part } from './conversation.js'
import type { Choice, Delta, FinishReason, Reply, ReportedUsage, TokenLogprob } from './reply.js'

interface GrowingChoice {
  readonly parts: Map<number, Part>
  finish: FinishReason | undefined
  stopSequence: string | undefined
  logprobs: TokenLogprob[] | undefined
}

/** Builds a whole `Reply` from canonical deltas, so that streamed and whole answers go through the same hands. */
export class ReplyCollector {
  #id = ''
  #model = ''
  #created = 0
  #reported: ReportedUsage | undefined
  readonly #choices = new Map<number, GrowingChoice>()

  /**
   * Takes the deltas in order. Usage that comes more than once counts as said last; `wire` deltas hold nothing canonical and are
   * skipped.
   */
  push(delta: Delta): void {
    switch (delta.type) {
      case 'start':
        this.#id = delta.id
        this.#model = delta.model
        this.#created = delta.created
        return
      case 'usage':
        this.#reported = delta.reported
        return
      case 'wire':
        return
      case 'finish': {
        const choice = this.#choice(delta.choice)
        choice.finish = delta.reason
        choice.stopSequence = delta.stopSequence
        return
      }
      case 'text': {
        const choice = this.#choice(delta.choice)
        if (delta.logprobs) (choice.logprobs ??= []).push(...delta.logprobs)
        // Log-probabilities may come without text: those of a token that is no whole character yet.
        if (delta.text === '' && !choice.parts.has(delta.part)) return
        this.#grow(choice, delta.part, delta)
        return
      }
      default:
        this.#grow(this.#choice(delta.choice), delta.part, delta)
    }
  }

  /** The answer so far. A choice that never finished counts as cut by length. */
  reply(): Reply {
    const indexes = [...this.#choices.keys()].sort((a, b) => a - b)
    return {
      id: this.#id,
      model: this.#model,
      created: this.#created,
      choices: indexes.map((index) => wholeChoice(this.#choice(index))),
      reported: this.#reported,
    }
  }

  #choice(index: number): GrowingChoice {
    let choice = this.#choices.get(index)
    if (!choice) this.#choices.set(index, (choice = { parts: new Map(), finish: undefined, stopSequence: undefined, logprobs: undefined }))
    return choice
  }

  #grow(choice: GrowingChoice, index: number, delta: Exclude<Delta, { type: 'start' | 'usage' | 'wire' | 'finish' }>): void {
    const part = choice.parts.get(index)
    switch (delta.type) {
      case 'text':
      case 'refusal':
        choice.parts.set(
          index,
          part?.type === delta.type ? { ...part, text: part.text + delta.text } : { type: delta.type, text: delta.text },
        )
        return
      case 'reasoning':
        choice.parts.set(
          index,
          part?.type === 'reasoning' ? { ...part, text: part.text + delta.text } : { type: 'reasoning', text: delta.text },
        )
        return
      case 'reasoning_signature':
        choice.parts.set(index, {
          type: 'reasoning',
          text: part?.type === 'reasoning' ? part.text : '',
          signature: part?.type === 'reasoning' && part.signature !== undefined ? part.signature + delta.signature : delta.signature,
          signatureFormat: delta.signatureFormat,
          ...(delta.redacted === undefined ? undefined : { redacted: delta.redacted }),
          ...(delta.id === undefined ? undefined : { id: delta.id }),
        })
        return
      case 'tool_call':
        choice.parts.set(index, {
          type: 'tool_call',
          id: delta.id,
          name: delta.name,
          arguments: '',
          ...(delta.signature === undefined ? undefined : { signature: delta.signature }),
        })
        return
      case 'tool_arguments':
        if (part?.type === 'tool_call') choice.parts.set(index, { ...part, arguments: part.arguments + delta.json })
        return
      case 'native':
        choice.parts.set(index, { type: 'native', format: delta.format, value: delta.value })
    }
  }
}

function wholeChoice(choice: GrowingChoice): Choice {
  return {
    parts: [...choice.parts.entries()].sort(([a], [b]) => a - b).map(([, part]) => part),
    finish: choice.finish ?? 'length',
    ...(choice.stopSequence === undefined ? undefined : { stopSequence: choice.stopSequence }),
    ...(choice.logprobs === undefined ? undefined : { logprobs: choice.logprobs }),
  }
}
