import type { ExtraField } from '../conversation.js'
import { isObject } from '../json-value.js'

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

/** Gives the kept fields back by the path of the object they stood in. */
export class ExtraIndex {
  readonly #byParent = new Map<string, ExtraField[]>()

  constructor(extra: readonly ExtraField[]) {
    for (const field of extra) {
      if (field.format !== 'anthropic-messages') continue
      const parent = field.path.slice(0, Math.max(0, field.path.length - field.name.length - 1))
      const list = this.#byParent.get(parent)
      if (list === undefined) this.#byParent.set(parent, [field])
      else list.push(field)
    }
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
