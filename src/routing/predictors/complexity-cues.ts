import type { Features } from '../../understanding/index.js'

/** Numbers of `complexityCues`. */
export const complexityCueCount = 17

/** Characters that are looked at: schemas are long, and a prompt without end must not cost. */
const longestText = 32_768

const patterns = {
  /** `CREATE TABLE orders (`, `Table: orders`, and the short form `orders(id, total)` at a line's beginning. */
  table: /\bcreate\s+table\b|^\s*(?:#+\s*)?table\s*[:`"]|^\s*[#-]?\s*[A-Za-z_][\w.]*\s*\([^()\n]{1,2000}\)/gim,
  join: /\b(?:whose|of (?:the|each|every|all)|belong\w*|along with|together with|respective(?:ly)?|corresponding|associated|related|between)\b/gi,
  nest: /\b(?:than (?:the )?(?:average|mean|median|any|all)|above average|below average|not in|never|without|except|neither|among|who also|both|same .{1,30} as)\b/gi,
  aggregate: /\b(?:how many|how much|number of|count|total|sum|average|mean|median|maximum|minimum|at (?:least|most))\b/gi,
  ratio: /\b(?:percent(?:age)?|ratio|proportion|rate|share|times (?:more|less|higher|lower)|difference|increase|decrease|growth|per)\b|%/gi,
  order:
    /\b(?:most|least|top|highest|lowest|largest|smallest|oldest|youngest|best|worst|first|last|rank\w*|order(?:ed)?|sort(?:ed)?|ascending|descending)\b/gi,
  group: /\b(?:each|every|per|by (?:year|month|day|country|type|category)|group(?:ed)?|respectively|distinct|different|unique)\b/gi,
  condition: /\b(?:if|when|where|while|only|after|before|since|until|between|during|greater|less|more than|fewer|over|under|equal)\b/gi,
  ask: /\?|\b(?:list|show|give|find|name|provide|calculate|compute|explain|compare|prove|derive|write|implement|plan)\b/gi,
  number: /\d+(?:[.,]\d+)*/g,
  quoted: /'[^'\n]{1,80}'|"[^"\n]{1,80}"|`[^`\n]{1,80}`/g,
} as const

/**
 * What of a request tells how much of a pipeline it needs (086 EllieSQL: tables and columns of the linked schema; with it cues of joins, nesting and aggregation), each
 * brought to about [-1, 1] by fixed scales, so that nothing has to be fitted before the first prediction. Where there is no schema these numbers are those of any other
 * question. Linear in the text, of which the first 32,768 characters are looked at.
 */
export function complexityCues({ text, traits, difficulty }: Features): Float64Array {
  const looked = text.slice(0, longestText)
  const tables = schemaOf(looked)
  const count = (pattern: RegExp) => looked.match(pattern)?.length ?? 0
  const few = (value: number, many: number) => Math.min(1, value / many)
  return Float64Array.of(
    few(Math.log2(1 + tables.count), 3),
    tables.count > 3 ? 1 : 0,
    few(Math.log2(1 + tables.columns), 6),
    few(count(patterns.join), 4),
    few(count(patterns.nest), 2),
    few(count(patterns.aggregate), 3),
    few(count(patterns.ratio), 3),
    few(count(patterns.order), 3),
    few(count(patterns.group), 3),
    few(count(patterns.condition), 4),
    few(count(patterns.ask), 3),
    few(count(patterns.number), 10),
    few(count(patterns.quoted), 4),
    Math.max(-1, Math.min(1, (Math.log1p(Math.max(0, traits.inputTokens)) - 4.5) / 3)),
    few(traits.stepCues, 3),
    Math.min(1, 4 * traits.numeric),
    2 * difficulty.value - 1,
  )
}

/** Tables and columns of a schema that stands in the text. */
function schemaOf(text: string): { readonly count: number; readonly columns: number } {
  let count = 0
  let columns = 0
  for (const found of text.matchAll(patterns.table)) {
    count += 1
    const open = text.indexOf('(', found.index)
    const close = open < 0 ? -1 : text.indexOf(')', open)
    if (close > open && open - found.index < 200) columns += text.slice(open, Math.min(close, open + 4_000)).split(',').length
  }
  return { count, columns }
}
