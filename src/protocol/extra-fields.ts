import type { DropPolicy } from './codec.js'
import type { ExtraField, WireFormat } from './conversation.js'
import { tellForeign } from './harmless-fields.js'
import { isObject } from './json-value.js'

/** Collects what a body of one format says beyond the canonical form, at any depth, so that none of it is lost in silence. */
export class ExtraCollector {
  readonly list: ExtraField[] = []

  constructor(private readonly format: WireFormat) {}

  /** Notes a field of the object at `parent` ('' is the body). `null` counts as absent. */
  add(parent: string, name: string, value: unknown): void {
    if (value !== null && value !== undefined)
      this.list.push({ format: this.format, name, path: parent === '' ? name : `${parent}.${name}`, value })
  }

  /** Notes the fields of an object that are not known. */
  unknown(object: Readonly<Record<string, unknown>>, known: ReadonlySet<string>, at: string): void {
    for (const name in object) if (!known.has(name)) this.add(at, name, object[name])
  }
}

/** How a format takes fields back. */
export interface ExtraPlaces {
  readonly format: WireFormat
  /** Why a field of another format has no place, such as "chat completions have no such field". */
  readonly foreign: string
  /** Takes a field that is no field of an object; true when it did. */
  own?(field: ExtraField): boolean
  /** Whether objects on the way that the body doesn't have may be made anew. */
  readonly makesMissing: boolean
}

/**
 * Puts kept fields back where they stood, found by the `at` of what they stood in. What has no place any more, or came in
 * another format, is told to the drop policy.
 */
export class ExtraFields {
  readonly #byParent = new Map<string, ExtraField[]>()

  constructor(
    extra: readonly ExtraField[],
    private readonly drop: DropPolicy,
    private readonly places: ExtraPlaces,
  ) {
    for (const field of extra) {
      if (field.format !== places.format) {
        tellForeign(field, drop, places.foreign)
        continue
      }
      if (places.own?.(field) === true) continue
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
    for (const { name, value } of fields) put(object, name, value)
  }

  /** Restores the body's own fields and those of the objects in it; call last. */
  finish(body: Record<string, unknown>): void {
    this.restore('', body)
    for (const [parent, fields] of this.#byParent) {
      const target = /^[\w.]+$/.test(parent) ? this.innerObject(body, parent.split('.')) : undefined
      for (const field of fields) {
        if (target) put(target, field.name, field.value)
        else this.drop.unsupported(field.path, 'the request was changed on its way, and this unknown field has no place in it any more')
      }
    }
  }

  /** The object at this path, copied since it may not be ours; `undefined` where none stands. */
  private innerObject(body: Record<string, unknown>, steps: readonly string[]): Record<string, unknown> | undefined {
    let target = body
    for (const step of steps) {
      const inner = Object.hasOwn(target, step) ? target[step] : this.places.makesMissing ? {} : undefined
      if (!isObject(inner)) return undefined
      const copy = { ...inner }
      put(target, step, copy)
      target = copy
    }
    return target
  }
}

/** Assignment that also works for a field named `__proto__`. */
function put(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
}
