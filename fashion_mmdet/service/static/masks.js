// Masks as COCO's compressed run lengths.

// Decode counts to the [start, end) of what is inside, counted down the columns, left to right.
// A number is written in characters of six bits from '0' on: five of the number, lowest first, and one that says whether
// more come; from the fourth number on it is the difference from the one two before (pycocotools, rleFrString).
export function decodeRuns(counts) {
  const lengths = [], runs = [];
  for (let at = 0; at < counts.length;) {
    let value = 0, shift = 0, more = true;
    while (more) {
      const bits = counts.charCodeAt(at++) - 48;
      value |= (bits & 31) << shift;
      shift += 5;
      more = (bits & 32) !== 0;
      if (!more && bits & 16 && shift < 32) value |= -1 << shift;
    }
    lengths.push(lengths.length > 2 ? value + lengths[lengths.length - 2] : value);
  }
  let place = 0;
  lengths.forEach((length, index) => {
    if (index % 2 && length) runs.push([place, place + length]);
    place += length;
  });
  return runs;
}

// Scale a mask to a canvas of width x height pixels: its box there, and row by row 0 outside, 1 inside, 2 at the edge.
export function shrinkMask(mask, [x1, y1, x2, y2], width, height) {
  const [fullHeight, fullWidth] = mask.size;
  const boxHeight = y2 - y1, full = new Uint8Array((x2 - x1) * boxHeight); // down the columns of the box
  for (const [start, end] of decodeRuns(mask.counts)) {
    for (let at = start; at < end;) { // column by column
      const column = Math.floor(at / fullHeight), stop = Math.min(end, (column + 1) * fullHeight);
      const from = (column - x1) * boxHeight + (at - column * fullHeight) - y1;
      full.fill(1, from, from + stop - at);
      at = stop;
    }
  }
  const left = Math.floor(x1 / fullWidth * width), top = Math.floor(y1 / fullHeight * height);
  const columns = Math.max(1, Math.ceil(x2 / fullWidth * width) - left);
  const rows = Math.max(1, Math.ceil(y2 / fullHeight * height) - top);
  const inside = new Uint8Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    const y = Math.floor((top + row + 0.5) / height * fullHeight) - y1;
    for (let column = 0; column < columns; column++) {
      const x = Math.floor((left + column + 0.5) / width * fullWidth) - x1;
      if (y >= 0 && x >= 0 && y < boxHeight && x < x2 - x1) inside[row * columns + column] = full[x * boxHeight + y];
    }
  }
  const at = (row, column) => row >= 0 && column >= 0 && row < rows && column < columns && inside[row * columns + column];
  const bits = inside.map((one, place) => {
    const row = Math.floor(place / columns), column = place % columns;
    const isEdge = !(at(row - 1, column) && at(row + 1, column) && at(row, column - 1) && at(row, column + 1)
      && at(row - 2, column) && at(row + 2, column) && at(row, column - 2) && at(row, column + 2));
    return one && (isEdge ? 2 : 1);
  });
  return { left, top, columns, rows, bits };
}
