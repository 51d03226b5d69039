/** Words that carry grammar rather than a subject, of the languages that most requests are written in. Question words and negations are none: they change what is asked. */
export const stopWords: readonly string[] = [
  'a an the of to in on at by for from with as is are was were be been being am do does did doing have has had having it its this that these those there here',
  'i you he she we they me him her us them my your his our their and or if then than so too very can could will would should shall may might must just also into over about',
  'please any some such each both more most other own same s t d ll re ve m',
  'der die das den dem des ein eine einen einem einer und oder ist sind war waren sein im in zu zum zur von vom mit auf für an als es ich du er sie wir ihr bitte',
  'le la les un une des du de et ou est sont être dans pour par sur avec au aux ce cette ces je tu il elle nous vous ils elles que qui se',
  'el los las una unos unas y o es son ser en por para con al del lo su sus se yo tú nosotros',
  'o os as um uma e é são no na nos nas do da dos das ao com eu ele ela',
  'il lo gli i un uno di del della dei in con su per tra e è sono che si',
  'het een en van op te is zijn met voor и в на с что это по к у за от',
].flatMap((line) => line.split(' '))
