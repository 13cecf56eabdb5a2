"""What a component is: kinds, plug-ins, the registry, building, errors, the console."""
