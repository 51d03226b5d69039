import type { DropPolicy } from '../codec.js'
import type { ExtraField } from '../conversation.js'
import { tellForeign } from '../harmless-fields.js'
import { isObject } from '../json-value.js'

/** Collects what a body says beyond the canonical form, at any depth, so that none of it is lost in silence. */
export class Extras {
  readonly list: ExtraField[] = []

  /** Notes a field of the object at `parent` ('' is the body). `null` counts as absent. */
  add(parent: string, name: string, value: unknown): void {
    if (value !== null && value !== undefined) this.list.push({ format: 'openai-responses', name, path: parent === '' ? name : `${parent}.${name}`, value })
  }

  /** Notes the fields of an object that are not known. */
  unknown(object: Readonly<Record<string, unknown>>, known: ReadonlySet<string>, at: string): void {
    for (const name in object) if (!known.has(name)) this.add(at, name, object[name])
  }

  /** Notes one entry of the body's `include`. */
  include(index: number, value: string): void {
    this.list.push({ format: 'openai-responses', name: 'include', path: `include[${index}]`, value })
  }
}

/**
 * Puts kept fields back where they stood, found by the `at` of what they stood in. What came in another format, or has no
 * place any more, is told to the drop policy.
 */
export class ExtraFields {
  /** Entries of `include` that the canonical form doesn't know. */
  readonly includes: string[] = []
  readonly #byParent = new Map<string, ExtraField[]>()

  constructor(
    extra: readonly ExtraField[],
    private readonly drop: DropPolicy,
  ) {
    for (const field of extra) {
      if (field.format !== 'openai-responses') {
        tellForeign(field, drop, 'the Responses format has no such field')
        continue
      }
      if (field.path.startsWith('include[')) {
        if (typeof field.value === 'string') this.includes.push(field.value)
        continue
      }
      const parent = field.path.slice(0, Math.max(0, field.path.length - field.name.length - 1))
      const list = this.#byParent.get(parent)
      if (list) list.push(field)
      else this.#byParent.set(parent, [field])
    }
  }

  /** Adds to `object` the fields of what stood at this path. */
  restore(at: string | undefined, object: Record<string, unknown>): void {
    if (at === undefined || this.#byParent.size === 0) return
    const fields = this.#byParent.get(at)
    if (!fields) return
    this.#byParent.delete(at)
    for (const field of fields) put(object, field)
  }

  /** Restores the body's own fields and those of the objects in it; call last. */
  finish(body: Record<string, unknown>): void {
    this.restore('', body)
    for (const [parent, fields] of this.#byParent) {
      const target = /^[\w.]+$/.test(parent) ? innerObject(body, parent.split('.')) : undefined
      for (const field of fields) {
        if (target) put(target, field)
        else this.drop.unsupported(field.path, 'the request was changed on its way, and this unknown field has no place in it any more')
      }
    }
  }
}

/** The object at this path, made where it is missing and copied where it isn't ours; `undefined` where something else stands. */
function innerObject(body: Record<string, unknown>, steps: readonly string[]): Record<string, unknown> | undefined {
  let target = body
  for (const step of steps) {
    const inner = Object.hasOwn(target, step) ? target[step] : {}
    if (!isObject(inner)) return undefined
    const copy = { ...inner }
    put(target, { name: step, value: copy })
    target = copy
  }
  return target
}

/** Assignment that also works for a field named `__proto__`. */
function put(object: Record<string, unknown>, { name, value }: Pick<ExtraField, 'name' | 'value'>): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
}
