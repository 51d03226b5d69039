const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** A date in any usual writing as `2021-05-02`; `null` for what is no date of the calendar. O(1). */
export function dateKey(text: string, dayFirst = false): string | null {
  const trimmed = text.trim()
  if (trimmed.length > 40) return null
  const slashed = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})$/.exec(trimmed)
  if (slashed) {
    const [first, second, year] = [Number(slashed[1]), Number(slashed[2]), Number(slashed[3])]
    // 25/12/2021 can only be meant one way.
    const swap = dayFirst ? second <= 12 : first > 12
    return swap ? valid(year, second, first) : valid(year, first, second)
  }
  const iso = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:T.*)?$/.exec(trimmed)
  if (iso) return valid(Number(iso[1]), Number(iso[2]), Number(iso[3]))
  const named =
    /^(?:[a-z]+day,?\s+)?(?:([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?|(\d{1,2})(?:st|nd|rd|th)?(?:\s+of)?\s+([a-z]{3,9})\.?),?\s+(\d{4})$/i.exec(
      trimmed,
    )
  if (!named) return null
  const month = MONTHS.indexOf((named[1] ?? named[4] ?? '').slice(0, 3).toLowerCase()) + 1
  return valid(Number(named[5]), month, Number(named[2] ?? named[3]))
}

function valid(year: number, month: number, day: number): string | null {
  const date = new Date(Date.UTC(2000, month - 1, day))
  date.setUTCFullYear(year)
  if (month < 1 || month > 12 || day < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}

const NUMBER =
  /^([-+−]?)\s*(?:[$€£¥]|US\$|USD)?\s*(\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(\.\d+)?(?:e([-+]?\d{1,3}))?(?:\s*\/\s*(\d+(?:\.\d+)?))?\s*(.*)$/i

/**
 * A number in any usual writing (thousands, currency, percent, fraction, a unit of up to three words after it) in its shortest decimal form,
 * rounded to twelve digits; `null` for what is none. A percentage is its number: 50 % is 50. O(1).
 */
export function numberKey(text: string): string | null {
  const trimmed = text.trim()
  if (trimmed.length > 120) return null
  const read = NUMBER.exec(trimmed.replace(/^[a-z]\w?\s*=\s*/i, ''))
  if (!read) return null
  const [, sign = '', whole = '', fraction = '', exponent, divisor, unit = ''] = read
  if (!/^(?:%|°|[a-zµ²³/^·-]+(?:\s+[a-z²³/^-]+){0,2})?$/i.test(unit.trim().replace(/[.%]$/, ''))) return null
  const value = (Number(`${whole.replaceAll(',', '') || '0'}${fraction}`) * 10 ** Number(exponent ?? 0)) / Number(divisor ?? 1)
  if (!Number.isFinite(value)) return null
  const rounded = Number(value.toPrecision(12))
  return String(sign === '-' || sign === '−' ? 0 - rounded : rounded)
}

/** LaTeX without what only makes it look good; fractions of numbers become `a/b`. O(characters). */
export function plainLatex(text: string): string {
  if (!text.includes('\\') && !text.includes('$')) return text
  return text
    .replace(/\\\(|\\\)|\\\[|\\\]|\\left|\\right|\\[,;!: ]|\\displaystyle/g, '')
    .replace(/\\(?:text|mathrm|mathbf|textbf|mbox)\s*\{([^{}]*)\}/g, '$1')
    .replace(/\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}/g, (_, above: string, below: string) =>
      /^-?[\d.]+$/.test(above) && /^[\d.]+$/.test(below) ? `${above}/${below}` : `(${above})/(${below})`,
    )
    .replace(/\^\s*\{?\\circ\}?/g, '')
    .replace(/\\([%$#&_])/g, '$1')
    .replace(/^\$+|\$+$/g, '')
}

/** A JSON text with keys in order and no space; `undefined` where it isn't JSON, or nests more than 64 deep. O(characters × log). */
export function canonicalJson(text: string): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text) as unknown
  } catch {
    return undefined
  }
  return written(value, 0)
}

function written(value: unknown, depth: number): string | undefined {
  if (depth > 64) return undefined
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const items: (string | undefined)[] = Array.isArray(value)
    ? value.map((item: unknown) => written(item, depth + 1))
    : Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, item]: [string, unknown]) => {
          const inner = written(item, depth + 1)
          return inner === undefined ? undefined : `${JSON.stringify(key)}:${inner}`
        })
  if (items.includes(undefined)) return undefined
  return Array.isArray(value) ? `[${items.join(',')}]` : `{${items.join(',')}}`
}
