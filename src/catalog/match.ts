import type { MatchLogic } from './price-data.js'

/** Whether a model name, in lower case, is the one that the data means. */
export type Matcher = (name: string) => boolean

/**
 * Turns match logic into one function, so that nothing is parsed or compiled at a look-up. Case doesn't matter, except in a regular
 * expression.
 */
export function compileMatch(logic: MatchLogic): Matcher {
  if ('or' in logic) {
    const any = logic.or.map(compileMatch)
    return (name) => any.some((matches) => matches(name))
  }
  if ('and' in logic) {
    const all = logic.and.map(compileMatch)
    return (name) => all.every((matches) => matches(name))
  }
  if ('regex' in logic) {
    const pattern = new RegExp(logic.regex)
    return (name) => pattern.test(name)
  }
  if ('equals' in logic) {
    const wanted = logic.equals.toLowerCase()
    return (name) => name === wanted
  }
  if ('starts_with' in logic) {
    const wanted = logic.starts_with.toLowerCase()
    return (name) => name.startsWith(wanted)
  }
  if ('ends_with' in logic) {
    const wanted = logic.ends_with.toLowerCase()
    return (name) => name.endsWith(wanted)
  }
  const wanted = logic.contains.toLowerCase()
  return (name) => name.includes(wanted)
}

const compactDate = /-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)/g

/** `gpt-5-20250807` as `gpt-5-2025-08-07`: hosts write the date of a snapshot either way, the data knows one. */
export function withDashedDate(name: string): string {
  return name.replace(compactDate, (text, year: string, month: string, day: string) => {
    const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
    return date.getUTCDate() === Number(day) ? `-${year}-${month}-${day}` : text
  })
}
