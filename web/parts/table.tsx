import { Fragment, type ComponentChildren } from 'preact'

export interface Column<Row> {
  readonly title: string
  /** Numbers stand at the right, so that their digits are below each other. */
  readonly number?: boolean
  cell(row: Row): ComponentChildren
}

interface TableProps<Row> {
  /** What the table shows: read out before it, and shown above it unless `quiet`. */
  readonly caption: string
  readonly quiet?: boolean
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  idOf(row: Row): string
  /** What stands below an opened row. */
  below?(row: Row): ComponentChildren
}

/** Rows and columns; wider than the page it scrolls sideways by itself, by keyboard too. */
export function Table<Row>({ caption, quiet = false, columns, rows, idOf, below }: TableProps<Row>) {
  return (
    <div class="table-frame" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class={quiet ? 'unseen' : ''}>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, number }) => (
              <th key={title} scope="col" class={number === true ? 'number' : ''}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const opened = below?.(row)
            return (
              <Fragment key={idOf(row)}>
                <tr>
                  {columns.map(({ title, number, cell }, index) => {
                    const Cell = index === 0 ? 'th' : 'td'
                    return (
                      <Cell key={title} class={number === true ? 'number' : ''} {...(index === 0 ? { scope: 'row' } : {})}>
                        {cell(row)}
                      </Cell>
                    )
                  })}
                </tr>
                {opened !== undefined && opened !== null && (
                  <tr class="opened">
                    <td colSpan={columns.length}>{opened}</td>
                  </tr>
                )}
              </Fragment>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
