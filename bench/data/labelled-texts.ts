import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { dataSource, type DataSource } from '../report.js'
import { DataProblem, readRows } from './source.js'

/** Texts with their labels; `null` says that a text belongs to none of the labels. */
export interface LabelledTexts {
  readonly rows: readonly { readonly text: string; readonly label: string | null }[]
  readonly sources: readonly DataSource[]
}

const utterance = z.object({ text: z.string(), intent: z.string().min(1) })

function filesLike(folder: string, pattern: RegExp): readonly string[] {
  if (!existsSync(folder))
    throw new DataProblem(`The data folder ${folder} doesn't exist. Set BURSAR_DATA to the folder that holds the data sets.`)
  const files = readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort()
  if (files.length === 0) throw new DataProblem(`${folder}: expected a file like ${pattern.source}, found none.`)
  return files.map((name) => join(folder, name))
}

/** CLINC150: utterances of 150 intents, and of none of them (`oos`). All files of the folder whose names fit. */
export function loadClinc(folder: string, pattern = /\.jsonl(\.gz)?$/): LabelledTexts {
  const read = filesLike(folder, pattern).map((file) => readRows(file, utterance))
  return {
    rows: read.flatMap(({ rows }) => rows.map(({ text, intent }) => ({ text, label: intent === 'oos' ? null : intent }))),
    sources: read.map(({ source }) => source),
  }
}

/** Banking77: a question to a bank and one of 77 intents, as CSV with a header. */
export function loadBanking(folder: string): LabelledTexts {
  const read = filesLike(folder, /\.csv(\.gz)?$/).map((file) => {
    const packed = readFileSync(file)
    const records = csvRecords((packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed).toString('utf8'))
    const [header, ...body] = records
    if (header?.[0] !== 'text' || header[1] !== 'category') throw new DataProblem(`${file}, row 1: expected the columns text and category.`)
    const rows = body.map(([text, label], index) => {
      if (text === undefined || label === undefined || label === '')
        throw new DataProblem(`${file}, row ${index + 2}, field category: is missing.`)
      return { text, label }
    })
    return { rows, source: dataSource(basename(file), file, rows.length) }
  })
  return { rows: read.flatMap(({ rows }) => rows), sources: read.map(({ source }) => source) }
}

/** Fields in quotes may hold commas, line ends and doubled quotes (RFC 4180). */
function csvRecords(content: string): string[][] {
  const records: string[][] = []
  let record: string[] = []
  let field = ''
  let quoted = false
  for (let at = 0; at < content.length; at++) {
    const character = content.charAt(at)
    if (quoted) {
      if (character !== '"') field += character
      else if (content.charAt(at + 1) === '"') field += content.charAt(++at)
      else quoted = false
    } else if (character === '"') quoted = true
    else if (character === ',') {
      record.push(field)
      field = ''
    } else if (character === '\n') {
      records.push([...record, field.replace(/\r$/, '')])
      record = []
      field = ''
    } else field += character
  }
  if (field !== '' || record.length > 0) records.push([...record, field])
  return records
}

/** Two questions, and whether they ask the same. */
export interface QuestionPair {
  readonly a: string
  readonly b: string
  readonly same: boolean
}

const pair = z.object({ text_a: z.string(), text_b: z.string(), is_duplicate: z.union([z.literal(0), z.literal(1)]) })

export function loadQuestionPairs(folder: string): { readonly pairs: readonly QuestionPair[]; readonly sources: readonly DataSource[] } {
  const read = filesLike(folder, /pairs.*\.jsonl(\.gz)?$/).map((file) => readRows(file, pair))
  return {
    pairs: read.flatMap(({ rows }) => rows.map(({ text_a, text_b, is_duplicate }) => ({ a: text_a, b: text_b, same: is_duplicate === 1 }))),
    sources: read.map(({ source }) => source),
  }
}

const leveled = z.object({ problem: z.string().min(1), level: z.int().min(1).max(5) })

/** MATH-500: problems with their level, 1 to 5. */
export function loadLeveledProblems(folder: string): {
  readonly problems: readonly { readonly problem: string; readonly level: number }[]
  readonly sources: readonly DataSource[]
} {
  const read = filesLike(folder, /\.jsonl(\.gz)?$/).map((file) => readRows(file, leveled))
  return { problems: read.flatMap(({ rows }) => rows), sources: read.map(({ source }) => source) }
}
