import { Anchor } from "@mantine/core";
import { Link } from "@tanstack/react-router";

import { usePolicyOf } from "../../api/policies";

/** The way to the policy of a target, where there is one; its mode, which the policy says, is the link's text. */
export function PolicyLink({ namespace, name, children }: { namespace: string; name: string; children: string }) {
  const policy = usePolicyOf(namespace, name).data;
  if (!policy) return <>{children}</>;
  return (
    <Anchor component={Link} to="/policies/$id" params={{ id: policy.id } as never} inherit aria-label={`${children}: to its policy`}>
      {children} · policy
    </Anchor>
  );
}
