// Turns JSON Schemas into Markdown tables: field, type, default, what it does.
import type { JsonSchema } from '../src/gateway/config/json-schema.js'

interface Section {
  readonly title: string
  readonly anchor: string
  readonly schema: JsonSchema
  /** Path that field names begin with. */
  readonly path: string
}

interface Row {
  readonly path: string
  readonly type: string
  readonly fallback: string
  readonly text: string
}

/** A page of tables. A shape with a name has one section, wherever on the page it stands. */
export class TablePage {
  private readonly waiting: Section[] = []
  private readonly known = new Map<string, Section>()

  /** The Markdown of one schema: a table, and the sections that it newly points to. `level`: of their headings. */
  tables(schema: JsonSchema, options: { readonly level: number; readonly path?: string }): string {
    const parts = [this.table(schema, options.path ?? '')]
    for (let section = this.waiting.shift(); section !== undefined; section = this.waiting.shift()) {
      const described = section.schema.description === undefined ? '' : `${section.schema.description}\n\n`
      parts.push(
        `${'#'.repeat(options.level)} <a id="${section.anchor}"></a>${section.title}\n\n${described}${this.table(section.schema, section.path)}`,
      )
    }
    return parts.filter((part) => part !== '').join('\n')
  }

  private table(schema: JsonSchema, path: string): string {
    const rows = this.rowsInside(schema, path)
    if (rows.length === 0) return ''
    const lines = rows.map(({ path, type, fallback, text }) => `| \`${path}\` | ${type} | ${fallback} | ${text} |`)
    return (
      ['| field | type | default | what it does |', '|---|---|---|---|', ...lines, '']
        .map((line) => `${line}\n`)
        .join('')
        .trimEnd() + '\n'
    )
  }

  /** Rows of what stands inside a value: fields of an object, entries of a mapping, entries of a list. */
  private rowsInside(schema: JsonSchema, path: string): Row[] {
    const required = new Set(schema.required ?? [])
    const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
      this.rowsOf(field, path === '' ? name : `${path}.${name}`, required.has(name)),
    )
    const entry = schema.properties === undefined ? objectOf(schema.additionalProperties) : undefined
    const item = objectOf(schema.items)
    return [
      ...own,
      ...(entry === undefined ? [] : this.rowsOfEach(entry, path === '' ? 'NAME' : `${path}.NAME`)),
      ...(item === undefined ? [] : this.rowsOfEach(item, `${path}[]`)),
    ]
  }

  /** Entries of a mapping or a list: a row of their own where there is a choice, or a named shape; else what stands inside. */
  private rowsOfEach(each: JsonSchema, path: string): Row[] {
    const objects = alternativesOf(each).filter(isObject)
    return objects.length > 1 || objects.some(isNamed) ? this.rowsOf(each, path, false) : this.insideOf(each, path)
  }

  private rowsOf(field: JsonSchema, path: string, required: boolean): Row[] {
    const fallback = field.default !== undefined ? `\`${JSON.stringify(field.default)}\`` : required ? 'required' : ''
    const row = { path, type: this.typeOf(field, path), fallback, text: cell(field.description ?? '') }
    return [row, ...this.insideOf(field, path)]
  }

  /** Rows below a field: of its one object without a name, of its lists and mappings. Other objects have sections. */
  private insideOf(field: JsonSchema, path: string): Row[] {
    const alternatives = alternativesOf(field)
    const objects = alternatives.filter(isObject)
    const [only] = objects
    const inline = only !== undefined && objects.length === 1 && !isNamed(only) ? this.rowsInside(only, path) : []
    const others = alternatives.filter((one) => !isObject(one) && hasFields(one))
    return [...inline, ...others.flatMap((one) => (isLinkedList(one) ? [] : this.rowsInside(one, path)))]
  }

  private typeOf(schema: JsonSchema, path: string): string {
    const alternatives = alternativesOf(schema)
    const several = alternatives.filter(isObject).length > 1
    const words = alternatives.map((one) => this.wordOf(one, path, several))
    return [...new Set(words)].join(' or ')
  }

  private wordOf(schema: JsonSchema, path: string, several: boolean): string {
    if (schema.const !== undefined) return `\`${cell(JSON.stringify(schema.const))}\``
    if (schema.enum !== undefined) return schema.enum.map((value) => `\`${cell(JSON.stringify(value))}\``).join(', ')
    const item = objectOf(schema.items)
    if (schema.type === 'array') return item === undefined ? 'list' : `list of ${this.typeOf(item, `${path}[]`)}`
    const each = objectOf(schema.additionalProperties)
    if (schema.type === 'object' && schema.properties === undefined && each !== undefined && Object.keys(each).length > 0)
      return `mapping of names to ${this.typeOf(each, `${path}.NAME`)}`
    if (isObject(schema) && (several || isNamed(schema))) return this.linkTo(schema, path, several)
    switch (schema.type) {
      case 'object':
        return 'object'
      case 'string':
        return 'text'
      case 'integer':
        return `whole number${rangeOf(schema)}`
      case 'number':
        return `number${rangeOf(schema)}`
      case 'boolean':
        return '`true`, `false`'
      default:
        return 'any value'
    }
  }

  /** `several`: the shape is one of a choice, so its description is its own and not that of the place where it stands. */
  private linkTo(schema: JsonSchema, path: string, several: boolean): string {
    const { description, default: _default, ...shape } = schema
    const id = JSON.stringify(shape)
    let section = this.known.get(id)
    if (section === undefined) {
      const label = labelOf(schema)
      const title = `\`${path}\`: ${label}`
      // A named shape may stand in several places, so its fields are told without the path to the first one.
      const named = isNamed(schema)
      section = {
        title,
        anchor: this.freeAnchor(named ? `${label} fields` : `${path} ${label}`),
        schema: several && description !== undefined ? { ...shape, description } : shape,
        path: named ? '' : path,
      }
      this.known.set(id, section)
      this.waiting.push(section)
    }
    return `[${cell(labelOf(schema))}](#${section.anchor})`
  }

  private freeAnchor(text: string): string {
    const plain = text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
    const taken = new Set([...this.known.values()].map((section) => section.anchor))
    for (let count = 1; ; count++) {
      const anchor = count === 1 ? plain : `${plain}-${count}`
      if (!taken.has(anchor)) return anchor
    }
  }
}

/** The forms that a value may have, without `null` (which counts as absent). */
function alternativesOf(schema: JsonSchema): readonly JsonSchema[] {
  const branches = schema.anyOf ?? schema.oneOf
  if (branches === undefined && Array.isArray(schema.type))
    return schema.type.flatMap((type: string) => alternativesOf({ ...schema, type }))
  if (branches === undefined) return schema.type === 'null' ? [] : [schema]
  return branches.flatMap((branch) => alternativesOf(branch))
}

/** Whether there is more to say below: an object with fields, or a list or mapping of such. */
function hasFields(schema: JsonSchema): boolean {
  if (isObject(schema)) return true
  const inner = objectOf(schema.items) ?? objectOf(schema.additionalProperties)
  return inner !== undefined && alternativesOf(inner).some(hasFields)
}

/** An object with fields of its own, as opposed to a mapping. */
function isObject(schema: JsonSchema): boolean {
  return schema.properties !== undefined && Object.keys(schema.properties).length > 0
}

function isNamed(schema: JsonSchema): boolean {
  return schema.title !== undefined
}

/** A list whose entries are told in sections, which its type points to. */
function isLinkedList(schema: JsonSchema): boolean {
  const item = objectOf(schema.items)
  const objects = item === undefined ? [] : alternativesOf(item).filter(isObject)
  return objects.length > 1 || objects.some(isNamed)
}

function labelOf(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title
  for (const name of ['type', 'role']) {
    const named = schema.properties?.[name]
    if (typeof named?.const === 'string') return named.const
    const [first] = named?.enum ?? []
    if (typeof first === 'string') return `${first} …`
  }
  return Object.keys(schema.properties ?? {})
    .slice(0, 2)
    .join(', ')
}

function rangeOf({ minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  const least = exclusiveMinimum !== undefined ? `> ${exclusiveMinimum}` : minimum !== undefined ? `≥ ${minimum}` : undefined
  const parts = [least, maximum === undefined ? undefined : `≤ ${maximum}`].filter((part) => part !== undefined)
  return parts.length === 0 ? '' : ` ${parts.join(', ')}`
}

function objectOf(value: unknown): JsonSchema | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
}

function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\|/g, '\\|').trim()
}
