// stub
export async function judge() {
  return { verdict: "NOT CHECKED", reason: "format_not_checked", begin: null, end: null };
}
