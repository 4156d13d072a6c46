// What the scripts have in common: what they were asked to do, and the one value that they print.

/** The arguments, as an object. */
export const asked = JSON.parse(process.argv[2]);

/** Prints what was seen, for the test that runs the script. */
export function saw(value) {
  console.log(JSON.stringify(value));
}

/** One message of a user. */
export function user(content) {
  return [{ role: "user", content }];
}
