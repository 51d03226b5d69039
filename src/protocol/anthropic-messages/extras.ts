import type { ExtraField } from '../conversation.js'
import { isObject, type JsonObject } from '../json-value.js'

/**
 * Fields of Anthropic's format that the canonical form doesn't know, at any depth of the body. They are kept with their
 * path; when the request goes to Anthropic after all, each is put back where it stood.
 */

/** Notes every field of `object` that isn't `known`. A null is the same as an absent field in this format. */
export function collectExtras(object: Readonly<Record<string, unknown>>, known: ReadonlySet<string>, at: string, into: ExtraField[]): void {
  for (const name in object) {
    if (known.has(name)) continue
    const value = object[name]
    if (value == null) continue
    into.push({ format: 'anthropic-messages', name, path: at === '' ? name : `${at}.${name}`, value })
  }
}

const billingMark = 'x-anthropic-billing-header:'
const billingPath = 'system[0]'

/**
 * Claude Code begins its instructions with a block for Anthropic's billing that differs in every request and says nothing to
 * a model: elsewhere it would keep the prompt out of every cache. Notes it as a field; false when there is none.
 */
export function takeBillingMark(system: string | readonly Readonly<Record<string, unknown>>[], into: ExtraField[]): boolean {
  const block = typeof system === 'string' ? undefined : system[0]
  if (typeof block?.['text'] !== 'string' || !block['text'].startsWith(billingMark)) return false
  into.push({ format: 'anthropic-messages', name: billingPath, path: billingPath, value: block })
  return true
}

/** Gives the kept fields back by the path of the object they stood in. */
export class ExtraIndex {
  readonly #byParent = new Map<string, ExtraField[]>()
  /** The block for Anthropic's billing that stood before all instructions. */
  readonly billing: JsonObject | undefined

  constructor(extra: readonly ExtraField[]) {
    let billing: JsonObject | undefined
    for (const field of extra) {
      if (field.format !== 'anthropic-messages') continue
      if (field.path === billingPath) {
        if (isObject(field.value)) billing = field.value
        continue
      }
      const parent = field.path.slice(0, Math.max(0, field.path.length - field.name.length - 1))
      const list = this.#byParent.get(parent)
      if (list === undefined) this.#byParent.set(parent, [field])
      else list.push(field)
    }
    this.billing = billing
  }

  /** Adds the fields that stood in the object at this path. */
  restore(at: string | undefined, object: Record<string, unknown>): void {
    if (at === undefined || this.#byParent.size === 0) return
    for (const field of this.#byParent.get(at) ?? []) object[field.name] = field.value
  }

  /** Adds the fields that stood at the top or one object below it (`metadata`, `output_config`). */
  restoreTop(body: Record<string, unknown>): void {
    for (const [parent, fields] of this.#byParent) {
      if (parent === '') for (const field of fields) body[field.name] = field.value
      else if (/^[a-z_]+$/.test(parent)) {
        const present = body[parent]
        body[parent] = { ...(isObject(present) ? present : {}), ...Object.fromEntries(fields.map((field) => [field.name, field.value])) }
      }
    }
  }
}
