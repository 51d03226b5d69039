import type { DropPolicy } from '../codec.js'
import type { CacheMark, ExtraField } from '../conversation.js'
import { tellForeign } from '../harmless-fields.js'
import { isObject } from '../json-value.js'

/** Collects what a body says beyond the canonical form, at any depth, so that none of it is lost in silence. */
export class Extras {
  readonly list: ExtraField[] = []

  /** Notes a field of the object at `parent` ('' is the body). `null` counts as absent. */
  add(parent: string, name: string, value: unknown): void {
    if (value !== null && value !== undefined) this.list.push({ format: 'openai-chat', name, path: parent === '' ? name : `${parent}.${name}`, value })
  }

  /** Notes the fields of an object that are not known. */
  unknown(object: Readonly<Record<string, unknown>>, known: ReadonlySet<string>, at: string): void {
    for (const name in object) if (!known.has(name)) this.add(at, name, object[name])
  }
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
  ) {
    for (const field of extra) {
      if (field.format !== 'openai-chat') {
        tellForeign(field, drop, 'chat completions have no such field')
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
    for (const { name, value } of fields) put(object, name, value)
  }

  /** Restores the body's own fields and those of the objects in it; call last. */
  finish(body: Record<string, unknown>): void {
    this.restore('', body)
    for (const [parent, fields] of this.#byParent) {
      let target: Record<string, unknown> | undefined = body
      for (const step of parent.split('.')) {
        const inner: unknown = target !== undefined && Object.hasOwn(target, step) ? target[step] : undefined
        if (target === undefined || !isObject(inner)) {
          target = undefined
          break
        }
        const copy = { ...inner }
        target[step] = copy
        target = copy
      }
      for (const field of fields) {
        if (target) put(target, field.name, field.value)
        else this.drop.unsupported(field.path, 'the request was changed on its way, and this unknown field has no place in it any more')
      }
    }
  }
}

/** Assignment that also works for a field named `__proto__`. */
function put(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
}

/** Reads a `cache_control` mark. */
export function cacheMark(control: unknown): CacheMark | undefined {
  if (!isObject(control) || control['type'] !== 'ephemeral') return undefined
  const ttl = control['ttl']
  return ttl === '5m' || ttl === '1h' ? { ttl } : {}
}
