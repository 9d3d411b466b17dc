import { Alert } from "@mantine/core";

import { ApiProblem } from "../../api/client";

/** Why a write was refused, in the API's words. */
export function Refused({ error }: { error: Error | null }) {
  if (!error) return null;
  const status = error instanceof ApiProblem ? error.status : null;
  const title = status === 412 ? "Somebody changed it meanwhile" : status === 403 ? "Your role does not allow this" : "It was refused";
  return (
    <Alert color="red" title={title} role="alert">
      {error.message}
    </Alert>
  );
}
